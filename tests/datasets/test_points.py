import json

import numpy as np
import pytest

from autoseg.datasets.points import read_points, write_points
from autoseg.errors import FormatError
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, Points

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
