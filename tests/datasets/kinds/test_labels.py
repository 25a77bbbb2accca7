"""Label maps of a data set."""

import numpy as np
import pytest

from autoseg.datasets.kinds.labels import LabelFiles
from autoseg.errors import DatasetError
from autoseg.formats.base import find_format
from autoseg.spec.image import Geometry
from autoseg.tasks import TASKS

GEOMETRY = Geometry(shape=(2, 3), spacing=(0.5, 0.25), unit="mm")


def _written(path, labels):
    find_format(path).write_labels(path, labels, GEOMETRY)
    return path


def test_values_of_the_file_become_the_inner_ones(tmp_path):
    path = _written(tmp_path / "a.tif", np.array([[0, 7, 7], [3, 0, 0]], np.uint8))
    task = TASKS["semantic"](labels={"background": 0, "small": 3, "large": 7})

    labels, geometry = LabelFiles().read(path, None, task, None, None)

    assert labels.tolist() == [[0, 2, 2], [1, 0, 0]]
    assert geometry.shape == (2, 3)


def test_a_value_that_means_nothing_names_the_file(tmp_path):
    path = _written(tmp_path / "a.tif", np.full((2, 3), 9, np.uint8))
    task = TASKS["semantic"](labels={"background": 0, "cell": 1})

    with pytest.raises(DatasetError, match="a.tif: label value 9"):
        LabelFiles().read(path, None, task, None, None)


def test_each_case_has_a_file_of_its_own(tmp_path):
    (tmp_path / "labelsTr" / "a").mkdir(parents=True)
    (tmp_path / "labelsTr" / "all.json").write_text("{}")

    assert LabelFiles().folders(tmp_path / "labelsTr") == {}
    assert LabelFiles().shared(tmp_path, {"a"}) is None
