import json

import numpy as np
import pytest
import SimpleITK as sitk

from autoseg.datasets.annotations import annotation_of
from autoseg.datasets.points import read_points, write_points
from autoseg.errors import DatasetError, FormatError
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.tasks import choose_task, make_task

GEOMETRY = Geometry(shape=(9, 8), spacing=(0.5, 0.5), origin=(10.0, 20.0))


def dataset(folder, **raw):
    return Dataset(
        name="a",
        folder=folder,
        task="landmark",
        channel_names=("x",),
        image_ending=".png",
        annotation_ending=".csv",
        raw={"landmarks": ["tip", "root"], **raw},
    )


def test_a_prediction_is_read_with_its_details_and_its_grid(tmp_path):
    points = Points(
        ("tip", "root"),
        np.array([[1.25, 2.0], [np.nan, np.nan]]),
        np.array([PRESENT, ABSENT]),
        {"score": np.array([0.9, 0.2]), "peak": np.ones((2, 2))},
    )
    write_points(tmp_path / "a.json", points, GEOMETRY)

    found, geometry = read_points(tmp_path / "a.json", None, None)

    assert geometry.shape == found.shape == (9, 8)
    assert found.coordinates[0].tolist() == [1.25, 2.0]
    assert found.status.tolist() == [PRESENT, ABSENT]
    assert found.details["score"].tolist() == [0.9, 0.2]
    assert found.details["peak"].shape == (2, 2)


def test_one_file_holds_all_cases(tmp_path):
    (tmp_path / "all.csv").write_text("case,tip_x,tip_y\none,1,2\ntwo,3,4\n")
    given = tmp_path / "all.csv", dataset(tmp_path), GEOMETRY

    assert read_points(*given, "two")[0].coordinates.tolist() == [[4, 3]]
    with pytest.raises(FormatError, match="the cases one, two, and no case 'six'"):
        read_points(*given, "six")


def test_conventions_of_the_data_set_are_kept(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"tip": [11, 21]}))
    described = dataset(tmp_path, coordinates={"space": "physical"})

    found, _ = read_points(tmp_path / "a.json", described, GEOMETRY)

    # (11 - 10) / 0.5 and (21 - 20) / 0.5
    assert found.coordinates.tolist() == [[2, 2]]


def test_a_file_that_knows_no_image_asks_for_one(tmp_path):
    (tmp_path / "a.csv").write_text("landmark,x,y\ntip,1,2\n")

    with pytest.raises(FormatError, match="which image"):
        read_points(tmp_path / "a.csv", None, None)


LAS, RAS = (1, 0, 0, 0, -1, 0, 0, 0, 1), (-1, 0, 0, 0, -1, 0, 0, 0, 1)


def drawn(path, place, direction, origin=(0.0, 0.0, 0.0), shape=(5, 6, 7)):
    """Save a map with the landmark 1 in one voxel (z, y, x)."""
    labels = np.zeros(shape, np.uint8)
    labels[place] = 1
    image = sitk.GetImageFromArray(labels)
    image.SetDirection(direction)
    image.SetOrigin(origin)
    sitk.WriteImage(image, str(path))
    return path


def grid(direction=RAS, shape=(5, 6, 7)):
    return Geometry(
        shape=shape, spacing=(1.0,) * 3, origin=(0.0,) * 3, direction=direction
    )


def test_a_map_is_turned_to_its_image_as_every_annotation(tmp_path):
    # x runs the other way over the same place: index 1 of 7 is index 5 of the image
    path = drawn(tmp_path / "a.nrrd", (2, 3, 1), LAS, origin=(-6.0, 0.0, 0.0))

    found, geometry = read_points(path, dataset(tmp_path), grid())

    assert found.coordinates.tolist() == [[2, 3, 5]]
    assert geometry.direction == RAS


def test_a_map_of_another_place_or_size_is_none_of_the_image(tmp_path):
    described = dataset(tmp_path)
    elsewhere = drawn(tmp_path / "a.nrrd", (2, 3, 1), LAS)
    with pytest.raises(DatasetError, match="do not lie in the same place"):
        read_points(elsewhere, described, grid())

    larger = drawn(tmp_path / "b.nrrd", (2, 3, 1), RAS, shape=(5, 6, 8))
    case = Case(id="b", images=(), annotation=larger)
    task = make_task(choose_task(described))
    with pytest.raises(DatasetError, match=r"shape \(5, 6, 8\), its image \(5, 6, 7\)"):
        annotation_of(case, described, task, grid())


def test_what_dataset_json_says_of_coordinates_is_not_for_maps(tmp_path):
    path = drawn(tmp_path / "a.nrrd", (2, 3, 1), RAS)
    said = {"space": "physical", "origin": "one", "index_order": "zyx"}

    found, _ = read_points(path, dataset(tmp_path, coordinates=said), grid())

    assert found.coordinates.tolist() == [[2, 3, 1]]
