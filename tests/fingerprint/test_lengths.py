"""Images in millimeters beside others in micrometers are one data set."""

import json
from dataclasses import replace

import numpy as np
import pytest
import tifffile

import autoseg
from autoseg.datasets.points import read_points
from autoseg.datasets.read import load_dataset
from autoseg.fingerprint.check.stage import check
from autoseg.formats.base import read_image
from autoseg.formats.geometry import read_geometry
from autoseg.preprocess.store import CaseStore
from tests import toy

SHAPE = (24, 32)
# Edge along y, in the file's unit: half a micrometer in all of them.
FILES = {"c0": (0.5, "um"), "c1": (500.0, "nm"), "c2": (0.0005, "mm")}
X_OVER_Y = 2.0


def write(path, array, edge, unit):
    tags = {} if unit is None else {"unit": unit}
    resolution = (1 / (X_OVER_Y * edge), 1 / edge)  # x, y
    tifffile.imwrite(
        path, array, imagej=True, resolution=resolution, metadata={"axes": "YX", **tags}
    )


def make(folder, files):
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    toy.describe(
        folder,
        channel_names=["a"],
        labels={"background": 0, "x": 1},
        file_ending=".tif",
    )
    for number, (case, (edge, unit)) in enumerate(files.items()):
        labels = toy.labels_of(number, SHAPE, classes=1)
        image = toy.image_of(labels, number).clip(0, 255).astype(np.uint8)
        write(folder / f"imagesTr/{case}_0000.tif", image, edge, unit)
        write(folder / f"labelsTr/{case}.tif", labels, 1.0, "um")  # never looked at
    return folder


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """A data set in three units, fingerprinted, planned and preprocessed."""
    place = tmp_path_factory.mktemp("lengths")
    data, root = make(place / "Mixed", FILES), place / "root"
    found = autoseg.fingerprint(data, root, workers=1)
    autoseg.plan(data, root)
    autoseg.preprocess(data, root, workers=1)
    return data, root, found


def test_check_says_which_images_are_converted(mixed):
    data, _, _ = mixed

    found = check(data, workers=1)

    assert not [p for p in found if p.severity == "error"]
    (note,) = [p for p in found if "converted" in p.found]
    assert note.severity == "note"
    assert "2 images in um and 1 in mm (c2)" in note.found


def test_the_fingerprint_is_in_the_commonest_unit(mixed):
    _, _, found = mixed

    assert found.unit == "um"
    np.testing.assert_allclose(found.spacings, [(0.5, 1.0)] * 3, rtol=1e-6)


def test_preprocessed_cases_have_the_unit_of_the_plan(mixed):
    data, root, _ = mixed
    (folder,) = {path.parent for path in root.rglob("c2*.b2nd")}
    store = CaseStore(folder)

    placed = [store.open(case).properties["placement"] for case in FILES]
    placed = [placement["cropped_spacing"] for placement in placed]

    np.testing.assert_allclose(placed, [(0.5, 1.0)] * 3, rtol=1e-6)


def test_scores_are_lengths_in_one_unit(mixed, tmp_path):
    data, _, _ = mixed
    predictions = tmp_path / "predicted"
    predictions.mkdir()
    for number, (case, (edge, unit)) in enumerate(FILES.items()):
        labels = np.roll(toy.labels_of(number, SHAPE, classes=1), 3, axis=0)
        write(predictions / f"{case}.tif", labels, edge, unit)

    summary = autoseg.evaluate(predictions, dataset=data, workers=1)

    # Everything is moved by 3 voxels of 0.5 um along y, and by nothing along x; the
    # 95th percentile of distances between the surfaces is at most that.
    assert summary.unit == "um"
    for scores in summary.cases.values():
        assert 0.4 < scores["x"]["hd95"] <= 1.5


def test_images_without_a_size_are_not_mixed_with_others(tmp_path):
    files = {**FILES, "c3": (1.0, None)}
    data = make(tmp_path / "Pixels", files)

    (error,) = [p for p in check(data, workers=1) if p.severity == "error"]

    assert "differ in their units" in error.found
    assert "1 with px" in error.found and "1 with mm" in error.found


def test_channels_of_one_case_may_be_in_two_units(tmp_path):
    data = make(tmp_path / "Two", FILES)
    toy.describe(data, channel_names=["a", "b"], labels={"background": 0, "x": 1})
    image = np.full(SHAPE, 7, np.uint8)
    for case in FILES:
        write(data / f"imagesTr/{case}_0001.tif", image, 5e-7, "m")

    dataset = load_dataset(data)

    grid = read_image(dataset.case("c0"), dataset).geometry
    assert grid.unit == "um" and grid.spacing == pytest.approx((0.5, 1.0))
    assert not [p for p in check(data, workers=1) if p.severity == "error"]


@pytest.mark.parametrize(("lengths", "edge"), [("mm", 0.0005), ("um", 0.5)])
def test_points_without_a_unit_are_in_that_of_their_images_file(
    tmp_path, lengths, edge
):
    data = make(tmp_path / "Points", {"c0": FILES["c0"]})
    dataset = replace(load_dataset(data), lengths=lengths)
    grid = read_geometry(dataset.case("c0"), dataset)
    places = {"coordinate_system": "lps", "points": {"tip": [3.0, 2.0]}}
    path = tmp_path / "c0.json"
    path.write_text(json.dumps(places))

    points, _ = read_points(path, dataset, grid, "c0")

    # 3 um along x are 3 voxels of 1 um, 2 um along y are 4 of 0.5 um.
    assert grid.spacing == pytest.approx((edge, 2 * edge))
    np.testing.assert_allclose(points.coordinates, [(4.0, 3.0)])
