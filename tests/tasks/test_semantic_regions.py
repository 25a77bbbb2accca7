"""Whether what is painted for regions says the same as the annotation."""

import itertools
import json

import numpy as np
import pytest

from autoseg.datasets.read import load_dataset, read_dataset
from autoseg.errors import DatasetError
from autoseg.fingerprint.check.stage import check
from autoseg.tasks.semantic.regions import _crossing, label_faults, propose
from tests import toy

BRATS = {"background": 0, "WT": [1, 2, 3], "TC": [2, 3], "ET": 3}
FOUR = {"background": 0, "WT": [1, 2, 3, 4], "TC": [1, 2, 3], "ET": 1}


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (BRATS, [1, 2, 3]),
        (FOUR, [4, 2, 1]),
        (FOUR, [4, 3, 1]),  # 2 and 3 belong to the same regions
        # KiTS: kidney, masses, tumor; value 3 is a cyst.
        (
            {"background": 0, "kidney": [1, 2, 3], "masses": [2, 3], "tumor": 2},
            [1, 3, 2],
        ),
        # Regions beside each other, and one that is made of all of two others.
        ({"background": 0, "both": [1, 2], "one": 1, "two": 2}, [1, 1, 2]),
        ({"background": 0, "a": [1, 2], "b": [3, 4]}, [2, 3]),
    ],
)
def test_orders_that_say_the_same_are_right(labels, order):
    assert label_faults(labels, order) == []


@pytest.mark.parametrize(
    ("labels", "order", "names", "proposal"),
    [
        # ET (1) is painted 3, which is in WT and TC only.
        (FOUR, [1, 2, 3], "the value 1 (WT, TC, ET) is painted 3, which", [4, 2, 1]),
        (BRATS, [3, 2, 1], "the value 3 (WT, TC, ET) is painted 1,", [1, 2, 3]),
        (BRATS, [1, 2, 7], "paints 7, which is in no region", [1, 2, 3]),
        (BRATS, [1, 0, 3], "paints 0, which is the background", [1, 2, 3]),
        (BRATS, [1, 2, "3"], "paints '3', which is in no region", [1, 2, 3]),
        (BRATS, [1, [2], 3], "paints [2], which is in no region", [1, 2, 3]),
        (BRATS, [1, 2, True], "paints True, which is in no region", [1, 2, 3]),
    ],
)  # fmt: skip
def test_the_value_that_breaks_an_order_is_named(labels, order, names, proposal):
    (*_, fault) = label_faults(labels, order)

    assert names in fault
    assert fault.endswith(f'Say "regions_class_order": {proposal}')


def test_the_ignored_value_is_not_painted():
    (fault,) = label_faults({**BRATS}, [1, 2, 4], ignore=4)

    assert "paints 4, which is `ignore`" in fault


def test_where_the_regions_stand_in_the_wrong_order_that_is_proposed():
    labels = {"background": 0, "ET": 3, "TC": [2, 3], "WT": [1, 2, 3]}

    (fault,) = label_faults(labels, [3, 2, 1])

    proposed = '{"WT": [1, 2, 3], "TC": [2, 3], "ET": 3}, with '
    assert proposed + '"regions_class_order": [1, 2, 3]' in fault


def test_regions_that_cross_cannot_be_painted_at_all():
    labels = {"background": 0, "A": [1, 3], "B": [2, 3]}

    for order in ([1, 2], [3, 2], [1, 3], [3, 3]):
        (fault,) = label_faults(labels, order)
        assert "'A' and 'B' overlap, and neither is inside of the other" in fault


def test_a_region_without_a_value_of_its_own_is_painted_over():
    regions = {
        name: frozenset(v) for name, v in {"a": {1, 2}, "b": {1}, "c": {2}}.items()
    }

    assert propose(regions) == ({"a": [1, 2], "b": [1], "c": [2]}, [1, 1, 2])


def test_background_in_a_region_and_equal_regions_are_refused():
    (first,) = label_faults({"background": 0, "a": [0, 1], "b": 2}, [1, 2])
    (second,) = label_faults({"background": 0, "a": [1, 2], "b": [2, 1]}, [1, 2])

    assert "'a' has the value 0, which is the background's" in first
    assert "'a' and 'b' have the same values [1, 2]" in second


@pytest.mark.parametrize(
    ("name", "faulty"),
    [
        ("liver", True), ("Leber", True), ("class 0", True),
        ("background", False), ("Background", False), ("_background_", False),
        ("BG", False), ("Clear Label", False), ("unlabelled", False), ("0", False),
    ],
)  # fmt: skip
def test_a_class_with_the_value_0_is_not_taken_for_background(name, faulty):
    faults = label_faults({name: 0, "spleen": 1})

    assert bool(faults) is faulty
    assert not faulty or ('"background": 0' in faults[0] and repr(name) in faults[0])


def test_values_that_begin_elsewhere_have_no_class_at_0():
    assert label_faults({"anterior": 1, "posterior": 2}) == []


def described(tmp_path, **entries):
    folder = toy.volumes(tmp_path / "Toy", cases=2, test=0, shape=(4, 8, 8))
    raw = json.loads((folder / "dataset.json").read_text()) | entries
    (folder / "dataset.json").write_text(json.dumps(raw))
    return folder


def test_check_says_it_and_every_stage_refuses_before_it_begins(tmp_path):
    labels = {"background": 0, "whole": [1, 2], "core": 2}
    folder = described(tmp_path, labels=labels, regions_class_order=[2, 1])

    errors = [p for p in check(folder) if p.severity == "error"]

    assert len(errors) == 1 and "the value 1 (whole) is painted 2" in errors[0].found
    with pytest.raises(DatasetError, match=r'"regions_class_order": \[1, 2\]'):
        load_dataset(folder)


def test_a_right_order_is_no_problem(tmp_path):
    labels = {"background": 0, "whole": [1, 2], "core": 2}
    folder = described(tmp_path, labels=labels, regions_class_order=[1, 2])

    assert read_dataset(folder)[1] == []


def test_regions_that_cross_are_found_among_random_ones():
    random = np.random.default_rng(0)
    regions = {
        f"r{i}": frozenset(random.choice(12, 1 + i % 4, replace=False).tolist())
        for i in range(25)
    }

    expected = [
        (a, b)
        for (a, one), (b, other) in itertools.combinations(regions.items(), 2)
        if one & other and one - other and other - one
    ]
    assert len(expected) > 10
    assert _crossing(regions) == expected
