"""Instances of a data set: where they may lie."""

import numpy as np
import pytest

from autoseg.datasets.kinds.instances import InstanceFiles
from autoseg.errors import DatasetError
from autoseg.formats.base import find_format
from autoseg.spec.image import Geometry
from autoseg.tasks import TASKS


@pytest.fixture
def labels(tmp_path):
    folder = tmp_path / "labelsTr"
    folder.mkdir()
    return folder


def test_folders_of_masks_are_annotations_of_the_cases_they_are_named_after(labels):
    (labels / "b").mkdir()
    (labels / "a").mkdir()
    (labels / "c.tif").touch()

    assert InstanceFiles().folders(labels) == {"a": labels / "a", "b": labels / "b"}
    assert InstanceFiles().folders(labels / "nowhere") == {}


def test_a_file_of_the_usual_name_has_the_instances_of_all_images(labels, tmp_path):
    (labels / "annotations.json").touch()
    assert InstanceFiles().shared(tmp_path, {"a"}) == labels / "annotations.json"

    (tmp_path / "labelsTr.json").touch()
    assert InstanceFiles().shared(tmp_path, {"a"}) == tmp_path / "labelsTr.json"


def test_a_lonely_json_is_for_all_unless_it_is_named_after_a_case(labels, tmp_path):
    (labels / "a.json").touch()

    assert InstanceFiles().shared(tmp_path, {"a"}) is None
    assert InstanceFiles().shared(tmp_path, {"b"}) == labels / "a.json"


def test_ids_of_a_map_get_the_classes_that_stand_beside_it(tmp_path):
    path = tmp_path / "a.tif"
    ids = np.array([[0, 4], [9, 9]], np.uint16)
    find_format(path).write_labels(path, ids, Geometry(shape=(2, 2), spacing=(1, 1)))
    (tmp_path / "a.json").write_text('{"instances": {"4": "cell", "9": 5}}')
    task = TASKS["instance"](labels={"cell": 2, "dot": 5})

    found, _ = InstanceFiles().read(path, None, task, None, None)

    assert found.labels.tolist() == [[0, 4], [9, 9]]
    assert [found.class_of(i) for i in (4, 9)] == [2, 5]


def test_a_map_without_ids_that_can_be_names_the_file(tmp_path):
    path = tmp_path / "a.tif"
    geometry = Geometry(shape=(1, 2), spacing=(1, 1))
    find_format(path).write_labels(path, np.array([[-3, 0]], np.int16), geometry)

    with pytest.raises(DatasetError, match="a.tif: the annotation has the id -3"):
        InstanceFiles().read(
            path, None, TASKS["instance"](labels={"cell": 1}), None, None
        )
