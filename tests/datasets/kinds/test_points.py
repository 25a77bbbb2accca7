"""Points of a data set: where they may lie."""

import json
from pathlib import Path

import pytest

from autoseg.datasets.kinds.points import PointFiles
from autoseg.errors import AutosegError
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks import TASKS


def _dataset(**raw):
    return Dataset(
        name="a",
        folder=Path("a"),
        task="landmark",
        channel_names=("MR",),
        image_ending=".nii.gz",
        annotation_ending=".json",
        raw={"landmarks": ["tip", "root"], **raw},
    )


def test_every_kind_of_point_file_may_be_an_annotation():
    assert {".mrk.json", ".fcsv", ".csv", ".json"} <= set(PointFiles().endings)


def test_a_table_beside_the_images_has_the_points_of_all(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    table = tmp_path / "labelsTr.csv"
    table.write_text("case,landmark,x,y\na,tip,1,2\n")

    assert PointFiles().shared(tmp_path, {"a"}) == table


def test_a_convention_that_there_is_not_is_refused():
    PointFiles().check_description(_dataset(coordinates={"index_order": "zyx"}))
    with pytest.raises(AutosegError, match="upside"):
        PointFiles().check_description(_dataset(coordinates={"index_order": "upside"}))


def test_points_come_in_the_order_of_the_task(tmp_path):
    path = tmp_path / "a.json"
    points = {"root": [3, 1], "tip": [5, 2]}
    path.write_text(json.dumps({"coordinate_system": "voxel_xyz", "points": points}))
    task = TASKS["landmark"](landmarks=["tip", "root"])
    image = Geometry(shape=(8, 9), spacing=(1.0, 1.0))

    found, geometry = PointFiles().read(path, _dataset(), task, image, "a")

    assert found.names == ("tip", "root")
    assert found.coordinates.tolist() == [[2, 5], [1, 3]]  # files say x before y
    assert geometry == image
