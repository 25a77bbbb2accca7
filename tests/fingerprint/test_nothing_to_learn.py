"""Data sets from which nothing can be learnt: `check` and `fingerprint` agree."""

import json

import numpy as np
import pytest
from PIL import Image as Picture

import autoseg
from autoseg.datasets.annotations import annotation_of
from autoseg.datasets.read import load_dataset
from autoseg.errors import CaseErrors, DatasetError
from autoseg.fingerprint.check.stage import examine
from autoseg.spec.image import Geometry
from autoseg.tasks import choose_task, make_task
from tests import toy


def _write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.asarray(array, np.uint8)).save(path)


def _maps(folder, annotations, labels, **entries):
    for number, annotation in enumerate(annotations):
        image = np.random.default_rng(number).integers(1, 250, (16, 16))
        _write(folder / f"imagesTr/p{number}_0000.png", image)
        _write(folder / f"labelsTr/p{number}.png", annotation)
    channels = {"0": "gray"}
    return toy.describe(
        folder, channel_names=channels, labels=labels, file_ending=".png", **entries
    )


def _faces(folder, pictures, place=lambda points: points):
    for number, picture in enumerate(pictures):
        _write(folder / f"imagesTr/p{number}.png", picture)
        points = place({"eye": [4 + number, 5], "nose": [10, 9]})
        path = folder / f"labelsTr/p{number}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"points": points}))
    return toy.describe(
        folder,
        task="landmark",
        channel_names={"0": "gray"},
        landmarks=["eye", "nose"],
        file_ending=".png",
        label_ending=".json",
        coordinates={"space": "index"},
    )


def _errors(folder):
    return [p for p in examine(folder).problems if p.severity == "error"]


@pytest.mark.parametrize(
    ("labels", "values", "named"),
    [
        ({"background": 0, "cell": 1, "ignore": 3}, (3, 3), "'ignore'"),
        ({"background": 0, "cell": 1, "ignore": 3}, (3, 0), "'background' or 'ignore'"),
        ({"background": 1, "cell": 2}, (1, 1), "'background'"),
        (
            {"background": 0, "all": [1, 2], "core": 2, "ignore": 4},
            (4, 4),
            "'ignore'",
        ),
    ],
)
def test_annotations_without_a_voxel_of_any_class_are_one_error(
    tmp_path, labels, values, named
):
    more = {"regions_class_order": [1, 2]} if "core" in labels else {}
    maps = [np.full((16, 16), values[number % 2]) for number in range(4)]
    folder = _maps(tmp_path / "Toy", maps, labels, **more)

    (error,) = _errors(folder)

    assert error.found.endswith(f"so there is nothing to learn: all are {named}.")
    assert not any(
        "occurs in no annotation" in p.found for p in examine(folder).problems
    )
    with pytest.raises(DatasetError, match="has a voxel of any class"):
        autoseg.fingerprint(folder, tmp_path / "root")


def test_one_voxel_of_one_class_can_be_learnt_from(tmp_path):
    maps = np.full((4, 16, 16), 3)
    maps[2, 5, 5] = 1
    labels = {"background": 0, "cell": 1, "ignore": 3}
    folder = _maps(tmp_path / "Toy", maps, labels)

    assert not _errors(folder)
    assert autoseg.fingerprint(folder, tmp_path / "root").intensities[0].voxels == 1


def test_points_on_images_that_are_all_0_are_the_images_fault(tmp_path):
    folder = _faces(tmp_path / "Faces", [np.zeros((20, 24))] * 3)

    (error,) = _errors(folder)

    assert error.file == folder / "imagesTr"
    assert error.found.startswith("Every image is 0 everywhere")
    with pytest.raises(DatasetError, match="every image is 0 everywhere") as raised:
        autoseg.fingerprint(folder, tmp_path / "root")
    assert "imagesTr" in str(raised.value) and "voxel" not in str(raised.value)


@pytest.mark.parametrize("value", [0, 7])
def test_one_image_that_shows_something_is_enough(tmp_path, value):
    pictures = np.full((3, 20, 24), value)
    pictures[1, 4, 5] = 9
    folder = _faces(tmp_path / "Faces", pictures)

    assert not _errors(folder)
    shown = 1 if value == 0 else 3 * 20 * 24
    found = autoseg.fingerprint(folder, tmp_path / "root")
    assert found.intensities[0].voxels == shown


@pytest.mark.parametrize(
    ("place", "said"),
    [
        # x, y in pictures of 20 rows: rows 25 and 29 are more than two pixels out
        (
            lambda p: {n: [y, x + 20] for n, (y, x) in p.items()},
            "2 of 2 points are",
        ),
        (lambda p: {n: [-y, -x] for n, (y, x) in p.items()}, "2 of 2 points are"),
        (lambda p: {**p, "nose": [1e300, 1e300]}, "1 of 2 points are outside"),
        (lambda p: dict.fromkeys(p, None), "case has any of the landmarks"),
        (lambda p: {n: {"status": "absent"} for n in p}, "case has any of the landm"),
    ],
    ids=["shifted", "mirrored", "one far away", "nowhere", "absent"],
)
def test_points_that_check_refuses_are_not_learnt_from(tmp_path, place, said):
    pictures = np.random.default_rng(0).integers(1, 250, (3, 20, 24))
    folder = _faces(tmp_path / "Faces", pictures, place)

    errors = _errors(folder)

    assert errors and all(said in error.found for error in errors)
    with pytest.raises((DatasetError, CaseErrors), match=said):
        autoseg.fingerprint(folder, tmp_path / "root")


def test_points_a_little_outside_are_a_slip_that_check_tells_and_training_takes(
    tmp_path,
):
    pictures = np.random.default_rng(0).integers(1, 250, (3, 20, 24))
    folder = _faces(tmp_path / "Faces", pictures, lambda p: {**p, "nose": [10, 21]})

    (warning, *_) = [p for p in examine(folder).problems if "outside" in p.found]
    assert warning.severity == "warning"
    found = autoseg.fingerprint(folder, tmp_path / "root")
    assert found.annotation["status"]["nose"]["present"] == 3


def test_points_that_went_astray_after_the_fingerprint_are_not_prepared(tmp_path):
    folder = _faces(tmp_path / "Faces", np.ones((3, 20, 24)))
    dataset = load_dataset(folder)
    task = make_task(choose_task(dataset))
    image = Geometry(shape=(20, 24), spacing=(1.0, 1.0), unit="px")
    (case, *_) = dataset.training
    assert annotation_of(case, dataset, task, image).present.all()

    case.annotation.write_text('{"points": {"eye": [30, 30], "nose": [10, 90]}}')
    with pytest.raises(DatasetError, match=r"p0\.json: 2 of 2 points are outside"):
        annotation_of(case, dataset, task, image)
