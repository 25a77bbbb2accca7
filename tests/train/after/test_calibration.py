"""Voxels that are drawn of a case: which ones, and for how many each stands."""

import numpy as np
import pytest

from autoseg.errors import AutosegError
from autoseg.preprocess.placement import Placement
from autoseg.spec.annotation import LabelMap
from autoseg.spec.image import Geometry
from autoseg.tasks.semantic import SemanticTask
from autoseg.train.after.calibration import Sample, Sampler, sampling

LABELS = {"background": 0, "one": 1, "two": 2}
TASK = SemanticTask(labels=LABELS)


def placement(shape, box):
    """Return one whose image was cropped to a box and seen with its axes turned."""
    edges = (1.0,) * len(shape)
    cropped = tuple(high - low for low, high in box)
    return Placement(
        geometry=Geometry(shape=shape, spacing=edges),
        orientation=None,
        transpose=(1, 0),
        box=box,
        shape_before_crop=shape[::-1],
        cropped_shape=cropped,
        shape=cropped,
        cropped_spacing=edges,
        spacing=edges,
    )


def test_unsure_voxels_are_kept_and_each_sure_one_stands_for_many():
    said = np.zeros((3, 100, 100), np.float32)
    said[0] = 1
    said[:, :2, :50] = np.array([0.7, 0.2, 0.1], np.float32)[:, None, None]
    truth = np.zeros((100, 100), np.int16)
    truth[50, :30] = 2  # missed, and surely so
    sampler = Sampler(TASK)
    for row in range(0, 100, 10):
        sampler.look(said[:, row : row + 10], truth[row : row + 10])

    found = sampler.sample()

    unsure = found.weights == 1
    assert unsure.sum() == 130
    assert (found.truth == 2).sum() == 30
    assert found.weights.sum() == pytest.approx(100 * 100)
    assert len(found.weights) == 130 + 1000
    head = TASK.heads[0]
    np.testing.assert_allclose(
        found.probabilities(head)[unsure & (found.truth == 0)][0],
        [0.7, 0.2, 0.1],
        atol=1e-3,
    )


def test_what_nobody_annotated_does_not_count():
    task = SemanticTask(labels=LABELS, ignore=9)
    truth = np.array([[0, 1, 3, 3]])  # inside, ignore comes last
    sampler = Sampler(task)

    sampler.look(np.full((3, 1, 4), 1 / 3, np.float32), truth)

    assert sorted(sampler.sample().truth.tolist()) == [0, 1]


def test_rows_are_compared_with_the_annotation_where_they_lie(tmp_path):
    truth = np.zeros((6, 8), np.int16)  # of the image, (X, Y)
    truth[4, 2:5] = 1
    file = tmp_path / "case.npz"

    with sampling(file, TASK, lambda geometry: truth) as sink:
        sink.open(placement((6, 8), ((1, 7), (3, 6))))  # Y from 1, X from 3
        said = np.full((3, 6, 3), 0.1, np.float32)
        said[0] = 0.8
        said[:, 1:4, 1] = np.array([0.1, 0.8, 0.1])[:, None]  # Y 2 to 4, X 4
        sink.put(said[:, :4], 0, 0)
        sink.put(said[:, 4:], 0, 4)

    found = Sample.load(file)
    assert len(found.truth) == 18
    assert (found.logits.argmax(axis=1) == found.truth).all()


def test_a_case_that_says_nothing_of_a_class_has_no_say(tmp_path):
    partly = LabelMap(np.zeros((4, 4), np.int16), unknown=("two",))

    with sampling(tmp_path / "case.npz", TASK, lambda geometry: partly) as sink:
        sink.open(placement((4, 4), ((0, 4), (0, 4))))
        sink.put(np.full((3, 4, 4), 1 / 3, np.float32), 0, 0)

    assert list(tmp_path.iterdir()) == []


def test_of_regions_the_known_ones_have():
    task = SemanticTask(
        labels={"background": 0, "whole": [1, 2], "core": [2]},
        regions_class_order=[1, 2],
    )
    sampler = Sampler(task, unknown=("core",))
    sampler.look(np.full((2, 1, 2), 0.4, np.float32), np.array([[0, 2]]))

    found = sampler.sample()

    assert sampler.useful
    np.testing.assert_array_equal(found.truth, [[0, np.nan], [1, np.nan]])


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "case.npz").write_bytes(b"PK not really")

    with pytest.raises(AutosegError, match=r"case.npz is damaged"):
        Sample.load(tmp_path / "case.npz")
