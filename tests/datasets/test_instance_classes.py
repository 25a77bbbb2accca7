import json

import numpy as np
import pytest

from autoseg.datasets.instance_classes import with_classes
from autoseg.errors import DatasetError

LABELS = np.array([[0, 3, 3], [17, 0, 9]], np.uint16)
CLASSES = {1: "cell", 4: "debris"}


def _side_car(tmp_path, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (tmp_path / "a.b.json").write_text(text)
    return tmp_path / "a.b.nii.gz"


def test_classes_are_given_by_number_or_by_name(tmp_path):
    path = _side_car(tmp_path, {"instances": {"3": 1, "9": "debris", "17": "cell"}})

    found = with_classes(path, LABELS, CLASSES)

    assert found.classes == {3: 1, 9: 4, 17: 1}
    assert np.array_equal(found.labels, LABELS)


def test_a_mark_of_byte_order_in_front_says_nothing(tmp_path):
    path = _side_car(tmp_path, "\ufeff" + json.dumps({"instances": {"3": 1, "9": 4}}))

    found = with_classes(path, np.array([[3, 9]], np.uint16), CLASSES)

    assert found.classes == {3: 1, 9: 4}


def test_an_empty_map_needs_no_side_car(tmp_path):
    found = with_classes(tmp_path / "a.png", np.zeros((2, 2), np.uint8), CLASSES)

    assert found.ids == []


def test_every_fault_is_told_at_once(tmp_path):
    path = _side_car(tmp_path, {"instances": {"3": 2, "9": "dust"}})

    with pytest.raises(DatasetError) as caught:
        with_classes(path, LABELS, CLASSES)

    for word in ("a.b.json", "instances 17", "3: 2", "9: 'dust'", "4 (debris)"):
        assert word in str(caught.value)


@pytest.mark.parametrize("content", ["{", "[]", '{"instances": [1]}'])
def test_a_file_that_says_nothing_is_refused(tmp_path, content):
    path = _side_car(tmp_path, content)

    with pytest.raises(DatasetError, match="a.b.json"):
        with_classes(path, LABELS, CLASSES)


def test_a_missing_file_is_asked_for(tmp_path):
    with pytest.raises(DatasetError, match="a.json is missing.*3 instances"):
        with_classes(tmp_path / "a.png", LABELS, CLASSES)


def test_ids_that_are_too_large_get_others(tmp_path):
    labels = np.array([[0, 5, 2**32 - 1]], np.uint32)
    path = _side_car(tmp_path, {"instances": {"5": 4, str(2**32 - 1): 1}})

    found = with_classes(path, labels, CLASSES)

    assert found.labels.tolist() == [[0, 1, 2]]
    assert found.classes == {1: 4, 2: 1}
