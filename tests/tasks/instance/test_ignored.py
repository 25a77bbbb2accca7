"""What nobody annotated counts nowhere: targets, losses, numbers, tuning, scores."""

import numpy as np
import pytest
import torch

from autoseg.augmentations.pipeline import Pipeline, Sample
from autoseg.errors import PlanError
from autoseg.losses import LOSSES
from autoseg.losses.base import Loss
from autoseg.representations import REPRESENTATIONS
from autoseg.spec.annotation import IGNORED
from autoseg.spec.instances import Instances
from autoseg.tasks.instance import InstanceTask
from autoseg.tasks.instance.sizes import measure_instances
from autoseg.tasks.instance.tuning import THRESHOLDS, count_case
from autoseg.train.loop.criterion import Criterion

WIDTH = 20  # of what is annotated; the rest of a picture is ignored
SPACING = (1.0, 1.0)


def make(name, ignored):
    """A task of two classes, so that there is a head of classes, too."""
    task = InstanceTask(
        labels={"cell": 1, "debris": 2},
        representation={"name": name, "options": {}},
        ignored=ignored,
    )
    return task, Criterion(task, batch_dice=False, spacing=SPACING)


def two_cells(wide):
    """The stored map of two cells that touch, far from what is ignored on the right."""
    labels = np.zeros((16, wide), np.int32)
    labels[3:9, 3:8] = 1
    labels[3:9, 8:12] = 2
    labels[:, WIDTH:] = IGNORED
    return torch.from_numpy(labels)[None]


def outputs(task, wide, seed=0):
    random = torch.Generator().manual_seed(seed)
    return {
        head.name: torch.randn((1, head.channels, 16, wide), generator=random)
        for head in task.heads
    }


@pytest.mark.parametrize("name", REPRESENTATIONS.names())
def test_a_loss_is_that_of_the_picture_without_what_nobody_annotated(name):
    plain, without = make(name, False)
    task, criterion = make(name, True)
    wide = outputs(task, WIDTH + 9)
    cut = {head: value[..., :WIDTH].contiguous() for head, value in wide.items()}
    wide = {head: value.requires_grad_() for head, value in wide.items()}

    loss = criterion(wide, two_cells(WIDTH + 9))

    expected = float(without(cut, two_cells(WIDTH)))
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    # It is no accident: taken for background it is another number.
    background = without(wide, two_cells(WIDTH + 9)).detach()
    assert float(background) != pytest.approx(expected, rel=1e-3)
    loss.backward()
    for value in wide.values():
        assert not value.grad[..., WIDTH:].any()
        assert value.grad[..., :WIDTH].any()
        assert value.grad.isfinite().all()
    assert [head.name for head in plain.heads] == [head.name for head in task.heads]


def test_a_loss_that_cannot_leave_voxels_out_is_refused(monkeypatch):
    class Plain(Loss):
        def __init__(self, batch_dice=False, *, weight=1.0):
            super().__init__()

        def forward(self, logits, target):
            return logits.sum()

        @classmethod
        def example(cls):
            raise NotImplementedError

    monkeypatch.setitem(LOSSES._plugins, "flow", Plain)

    make("flow_distance", False)
    with pytest.raises(
        PlanError, match="the loss flow of the head 'flow' has no option"
    ):
        make("flow_distance", True)


def test_whether_two_voxels_are_one_object_is_unknown_where_one_of_them_is():
    task, _ = make("affinities", True)
    labels = np.array([[0, 0, IGNORED, 5, 5, IGNORED]], np.int32)

    found = task.targets(labels, SPACING)["affinities"][1, 0]  # with the next along x

    # background, even beside what is ignored | itself | one object | unknown | itself
    assert np.isnan(found).tolist() == [False, False, True, False, True, True]
    assert found[[0, 1, 3]].tolist() == [0, 0, 1]


def test_augmentation_keeps_what_nobody_annotated_and_the_image_there():
    pipeline = Pipeline("none", (4, 6), masked_channels=[0])
    labels = np.zeros((4, 6), np.int16)
    labels[0], labels[1, :3], labels[2:, 4:] = -1, 7, IGNORED
    draw = pipeline.draw(np.random.default_rng(0))
    sample = Sample(
        image=torch.ones(1, 4, 6), labels=torch.from_numpy(labels), draw=draw
    )

    images, found = pipeline.apply([sample], torch.device("cpu"))

    assert found[0].numpy().tolist() == np.where(labels == -1, 0, labels).tolist()
    assert images[0, 0].numpy().tolist() == (labels != -1).astype(float).tolist()


def test_patches_center_on_objects_or_on_what_is_annotated():
    task, _ = make("border_core", True)
    stored = two_cells(WIDTH + 9)[0].numpy()

    places = task.foreground(stored)

    assert set(places) == {"cell", "debris", "annotated"}
    rows, columns = np.unravel_index(places["annotated"], stored.shape)
    assert len(rows) == 16 * WIDTH and columns.max() == WIDTH - 1


def test_the_stored_map_keeps_it():
    task = InstanceTask(labels={"cell": 1, "debris": 7}, ignored=True)
    drawn = Instances(np.array([[0, 9, IGNORED, 12]], np.int32), {9: 7, 12: 1})

    stored = task.to_map(task.read(drawn))

    assert stored.tolist() == [[0, 2, IGNORED, 3]]
    assert task.from_map(stored).labels.tolist() == [[0, 2, IGNORED, 3]]
    assert task.write(drawn).tolist() == [[0, 9, 0, 12]]


def test_numbers_of_objects_are_those_of_the_annotated_part():
    labels = two_cells(WIDTH + 9)[0].numpy()

    whole = measure_instances(labels, SPACING)
    part = measure_instances(labels[:, :WIDTH], SPACING)

    assert whole.pop("ignored") == pytest.approx(9 / (WIDTH + 9))
    assert whole == part
    assert whole["foreground"] == 54 / (16 * WIDTH)


def test_a_fingerprint_with_it_makes_losses_leave_it_out():
    example, annotation, spacing = InstanceTask.example()
    partly = annotation.ignoring(np.arange(16) >= 14 + np.zeros((14, 1)))
    options = {"labels": example.labels, "ignore": 9}
    pooled = [
        InstanceTask.pool([example.measure(drawn, spacing) for _ in range(2)])
        for drawn in (annotation, partly)
    ]

    plain, _ = InstanceTask.configure(options, pooled[0])
    made, decisions = InstanceTask.configure(options, pooled[1])

    assert "ignored" not in pooled[0] and "ignored" not in plain
    assert pooled[1]["ignored"] == pytest.approx(2 / 16)
    assert made["ignored"] is True
    assert "in 2 cases" in decisions[-1].because
    every = [
        head.loss.options.get("ignore_index") for head in InstanceTask(**made).heads
    ]
    assert set(every) == {IGNORED}


def test_a_prediction_mostly_where_nobody_annotated_is_neither_right_nor_wrong():
    reference = np.zeros((8, 20), np.int32)
    reference[1:5, 1:5] = 1
    reference[:, 10:] = IGNORED
    predicted = np.zeros((8, 20), np.int32)
    predicted[1:5, 1:5] = 1
    predicted[1:5, 9:14] = 2  # 16 of 20 voxels over there
    predicted[6:8, 7:12] = 3  # 8 of 10 voxels here
    predicted[6:8, 11] = 0
    task = InstanceTask(labels={"cell": 1})

    scores = task.score(Instances(predicted), Instances(reference), SPACING)["cell"]

    assert (scores["predicted"], scores["reference"], scores["tp_95"]) == (2, 1, 1)
    assert scores["dice"] == 2 * 16 / (16 + 16 + 6)  # 6 voxels of the third are here
    counts = count_case(predicted, {}, [{}], reference, cut=False)
    assert counts.tolist() == [[1] * len(THRESHOLDS) + [2, 1]]
