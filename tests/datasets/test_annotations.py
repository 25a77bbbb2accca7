"""Reading annotations in the inner form of their task."""

import numpy as np
import pytest

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import DatasetError
from autoseg.formats.base import find_format
from autoseg.spec.image import Geometry
from autoseg.tasks import TASKS


def _write(path, values):
    array = np.array(values, np.uint8)
    geometry = Geometry(shape=array.shape, spacing=(1.0, 1.0), unit="px")
    find_format(path).write_labels(path, array, geometry)
    return path


def test_the_values_of_a_label_map_become_inner_labels(tmp_path):
    path = _write(tmp_path / "case.tif", [[0, 7], [7, 1]])
    task = TASKS["semantic"](labels={"background": 0, "cell": 1, "debris": 7})

    inner, geometry = read_annotation(path, None, task)

    assert inner.tolist() == [[0, 2], [2, 1]]
    assert geometry.shape == (2, 2)


def test_a_value_that_means_nothing_is_an_error_that_names_the_file(tmp_path):
    path = _write(tmp_path / "case.tif", [[0, 9]])
    task = TASKS["semantic"](labels={"background": 0, "cell": 1})

    with pytest.raises(DatasetError, match=r"case.tif: label value 9"):
        read_annotation(path, None, task)
