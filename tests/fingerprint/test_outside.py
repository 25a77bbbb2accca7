"""Annotation outside of the box that images are cropped to: said, and kept on request.

Expected shares are voxels, objects or points counted by hand.
"""

import json
import logging

import numpy as np
import pytest
from PIL import Image as Picture

import autoseg
from autoseg.fingerprint.check.stage import check
from autoseg.fingerprint.outside import outside_text
from autoseg.preprocess.store import CaseStore
from autoseg.spec.plan import Plan
from autoseg.workspace import Workspace
from tests import toy

SHAPE = (10, 12, 14)
# Voxels that are not 0: z 2 to 7, y 3 to 9, x all but the last.
INSIDE = (slice(2, 8), slice(3, 10), slice(0, 13))


def _image(seed, box=INSIDE):
    image = np.zeros(SHAPE, np.float32)
    values = np.random.default_rng(seed).normal(100, 15, SHAPE)
    image[box] = values[box]
    return image


def _volumes(folder, maps, channels=1, axes="LPS", image=_image, **entries):
    """Write volumes that are 0 around `INSIDE`, with these annotations."""
    for number, labels in enumerate(maps):
        name = f"c{number}"
        toy.write_nifti(folder / f"labelsTr/{name}.nii.gz", labels, axes=axes)
        for channel in range(channels):
            path = folder / f"imagesTr/{name}_{channel:04d}.nii.gz"
            toy.write_nifti(path, image(10 * number + channel))
    return toy.describe(
        folder,
        channel_names={str(i): f"MR{i}" for i in range(channels)},
        labels={"background": 0, "one": 1, "two": 2},
        file_ending=".nii.gz",
        **entries,
    )


def _far(one=True):
    """Class one wholly outside (2 rows of y), two wholly inside."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, :2] = 1 if one else 0
    labels[3:6, 4:7, 4:7] = 2
    return labels


def _said(folder):
    return [p for p in check(folder) if "outside of the box" in p.found]


def test_check_says_the_share_of_each_class_and_the_cases_concerned(tmp_path):
    partly = _far(one=False)
    partly[1:4, 5, 0:8] = 1  # 1 of 3 slices lies above the box
    folder = _volumes(tmp_path / "Toy", [_far(), _far(one=False), partly, _far()])

    (problem,) = _said(folder)

    beyond, there = 2 * (10 * 2 * 14) + 8, 2 * (10 * 2 * 14) + 24
    assert problem.severity == "warning"
    assert problem.found.startswith("In 3 of 4 cases (c0, c2, c3) ")
    assert problem.found.endswith(f": {100 * beyond / there:.3g} % of 'one'.")
    assert '"crop": "none"' in problem.fix


def test_the_fingerprint_says_the_same(tmp_path, caplog):
    folder = _volumes(tmp_path / "Toy", [_far(), _far()])

    with caplog.at_level(logging.WARNING):
        autoseg.fingerprint(folder, tmp_path / "root")

    (problem,) = _said(folder)
    assert "100 % of 'one'" in problem.found
    assert f"{problem.found} {problem.fix}" in caplog.messages


def test_little_is_not_called_nothing_and_most_not_all(tmp_path):
    maps = [np.zeros(SHAPE, np.uint8) for _ in range(2)]
    for labels in maps:
        labels[INSIDE] = 2  # 546 voxels
        labels[0, 0] = 1  # 14 voxels
    maps[0][9, 11, 13] = 2
    maps[1][5, 5, 5] = 1
    folder = _volumes(tmp_path / "Toy", maps)

    (problem,) = _said(folder)

    assert f"{100 * 28 / 29:.3g} % of 'one', {100 / 547:.3g} % of 'two'" in (
        problem.found
    )


def test_next_to_nothing_and_next_to_all_are_neither():
    cases = {"a": {"x": (9_999, 10_000), "y": (1, 10_000)}, "b": {}}

    found, _ = outside_text(cases, 2)

    assert found.endswith(": 99.9 % of 'x', less than 0.1 % of 'y'.")
    assert outside_text({"a": {}, "b": {}}, 2) is None


def test_what_any_channel_shows_is_inside(tmp_path):
    upper = (slice(0, 4), *INSIDE[1:])
    lower = (slice(3, 10), slice(0, 5), INSIDE[2])

    def image(number):
        return _image(number, lower if number % 10 else upper)

    labels = np.zeros(SHAPE, np.uint8)
    labels[0:10, 0:10, 2] = 1  # in the hull of the two, though not in their union
    labels[4, 10:12, 3:6] = 2  # 6 voxels below it
    folder = _volumes(tmp_path / "Toy", [labels] * 2, channels=2, image=image)

    (problem,) = _said(folder)

    assert "100 % of 'two'" in problem.found and "'one'" not in problem.found


def test_an_annotation_with_other_axes_is_turned_first(tmp_path):
    labels = np.zeros(SHAPE, np.uint8)
    labels[3:6, 2] = 1  # just outside; row 9 from the other end, inside
    labels[3:6, 9, :9] = 2  # the other way round
    folder = _volumes(tmp_path / "Toy", [labels] * 2)
    for number in range(2):  # the same voxels from the other end of y
        _write_flipped(folder / f"labelsTr/c{number}.nii.gz", labels)

    (problem,) = _said(folder)

    assert "100 % of 'one'" in problem.found and "'two'" not in problem.found


def _write_flipped(path, labels):
    edge = toy.SPACING[1]
    origin = (5.0, -3.0 - edge * (labels.shape[1] - 1), 11.0)
    toy.write_nifti(path, labels[:, ::-1], axes="LAS", origin=origin)


def test_nothing_is_said_where_nothing_is_outside(tmp_path):
    empty = _volumes(tmp_path / "Empty", [_far()] * 2, image=lambda n: 0 * _image(n))
    whole = _volumes(tmp_path / "Whole", [_far()] * 2, image=lambda n: 1 + _image(n))
    inner = _volumes(tmp_path / "Inner", [_far(one=False)] * 2)

    assert not _said(empty) and not _said(whole) and not _said(inner)


def test_without_cropping_the_same_case_is_learnt_whole(tmp_path, caplog):
    folder = _volumes(tmp_path / "Toy", [_far()] * 4, crop="none")
    root = tmp_path / "root"

    with caplog.at_level(logging.WARNING):
        measured = autoseg.fingerprint(folder, root)
        made = autoseg.plan(folder, root)
        autoseg.preprocess(folder, root, configurations=["3d_fullres"])

    assert not _said(folder)
    assert not any("outside" in message for message in caplog.messages)
    assert measured.shapes == (SHAPE,) * 4
    assert measured.relative_size_after_crop == 1.0
    assert made.crop == "none" and not made.channels[0].masked
    spacing = made.configuration("3d_fullres").spacing
    assert spacing == toy.SPACING  # so that nothing is resampled
    place = Workspace(root=root, dataset="Toy")
    store = CaseStore(place.data(made.data_id("3d_fullres")))
    for number in range(4):
        stored = np.asarray(store.open(f"c{number}").annotation[:])
        assert np.array_equal(stored.reshape(SHAPE), _far())


def test_cropping_stays_the_rule_and_plans_of_before_have_it(tmp_path):
    folder = _volumes(tmp_path / "Toy", [_far()] * 4)
    root = tmp_path / "root"

    measured = autoseg.fingerprint(folder, root)
    made = autoseg.plan(folder, root)

    assert measured.shapes == ((6, 7, 13),) * 4
    path = Workspace(root=root, dataset="Toy").plan("unet")
    raw = json.loads(path.read_text())
    assert raw.pop("crop") == "nonzero"
    path.write_text(json.dumps(raw))
    assert Plan.load(path) == made


def test_changing_the_key_measures_again(tmp_path):
    folder = _volumes(tmp_path / "Toy", [_far()] * 2)
    autoseg.fingerprint(folder, tmp_path / "root")
    described = json.loads((folder / "dataset.json").read_text())
    (folder / "dataset.json").write_text(json.dumps({**described, "crop": "none"}))

    found = autoseg.fingerprint(folder, tmp_path / "root")

    assert found.crop == "none" and found.shapes == (SHAPE,) * 2


@pytest.mark.parametrize("value", [False, "", "None", 3, ["none"], None])
def test_another_value_of_crop_is_refused(tmp_path, value):
    folder = _volumes(tmp_path / "Toy", [_far(one=False)] * 2, crop=value)

    (problem,) = [p for p in check(folder) if "`crop`" in p.found.lower()]

    assert problem.severity == "error" and '"nonzero" and "none"' in problem.found


def _pictures(folder, annotations, **entries):
    """Write gray pictures of 20 x 30 of which the left third is 0."""
    (folder / "imagesTr").mkdir(parents=True)
    (folder / "labelsTr").mkdir()
    for number, annotation in enumerate(annotations):
        picture = np.random.default_rng(number).integers(50, 250, (20, 30))
        picture[:, :10] = 0
        image = Picture.fromarray(picture.astype(np.uint8))
        image.save(folder / f"imagesTr/p{number}.png")
        path = folder / f"labelsTr/p{number}"
        if isinstance(annotation, dict):
            path.with_suffix(".json").write_text(json.dumps({"points": annotation}))
        else:
            Picture.fromarray(annotation).save(path.with_suffix(".png"))
    return toy.describe(
        folder, channel_names={"0": "gray"}, file_ending=".png", **entries
    )


def test_objects_count_by_their_voxels(tmp_path):
    ids = np.zeros((20, 30), np.uint8)
    ids[2:6, 2:6] = 1  # 16 voxels outside
    ids[10:14, 8:16] = 2  # 32, 8 of them outside
    folder = _pictures(
        tmp_path / "Cells", [ids] * 2, task="instance", labels={"cell": 1}
    )

    (problem,) = _said(folder)

    assert f"{100 * 24 / 48:.3g} % of 'cell'" in problem.found


def test_points_count_by_their_name(tmp_path):
    points = [
        {"eye": [4, 5], "nose": [20, 9]},
        {"eye": [15, 6], "nose": [21, 9]},
    ]  # x y
    folder = _pictures(
        tmp_path / "Faces",
        points,
        task="landmark",
        landmarks=["eye", "nose"],
        label_ending=".json",
        coordinates={"space": "index"},
    )

    (problem,) = _said(folder)

    assert problem.found.startswith("In 1 of 2 cases (p0) ")
    assert "100 % of 'eye'" in problem.found and "nose" not in problem.found
