"""Rules for classes: holes, components, thresholds, as JSON."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from autoseg.errors import PlanError
from autoseg.geometry import mapped
from autoseg.geometry.slabs import components as components_module
from autoseg.geometry.slabs import holes
from autoseg.model import postprocessing
from autoseg.model.postprocessing import Postprocessing, Rule, components, kept
from autoseg.spec.json import to_json
from autoseg.tasks.semantic import SemanticTask

TASK = SemanticTask(labels={"background": 0, "one": 1, "two": 5})


def labels():
    """Return a ring of 1 around a hole, a lone voxel of 1, and two parts of 2."""
    found = np.zeros((9, 12), np.int16)
    found[1:6, 1:6] = 1
    found[3, 3] = 0
    found[8, 11] = 1
    found[1:3, 8:10] = 2
    found[6:9, 7:9] = 2
    return found


def finish(rules, spacing=(1.0, 1.0)):
    return Postprocessing(classes=rules).finish(labels(), TASK, spacing)


def test_without_rules_nothing_changes():
    np.testing.assert_array_equal(finish({}), labels())


def test_a_hole_is_filled_and_nothing_else():
    expected = labels()
    expected[3, 3] = 1

    np.testing.assert_array_equal(finish({"one": Rule(fill_holes=True)}), expected)


def test_a_hole_that_another_class_fills_is_left_to_it():
    given = labels()
    given[3, 3] = 2
    rules = Postprocessing(classes={"one": Rule(fill_holes=True)})

    np.testing.assert_array_equal(rules.finish(given.copy(), TASK, (1, 1)), given)


def test_only_the_largest_component_of_the_class_stays():
    expected = labels()
    expected[1:3, 8:10] = 0  # 4 voxels; the other part has 6

    found = finish({"two": Rule(largest_component=True)})

    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("size", "stays"), [(4.0, True), (4.1, False)])
def test_the_minimum_size_is_a_volume(size, stays):
    # The lone voxel of class one is 2 x 2 = 4 large.
    found = finish({"one": Rule(minimum_size=size)}, spacing=(2.0, 2.0))

    assert (found[8, 11] == 1) is np.bool_(stays)
    assert (found[1:3, 1:6] == 1).all()


def test_holes_are_filled_before_components_are_measured():
    rules = {"one": Rule(fill_holes=True, minimum_size=25)}  # with its hole it has 25

    assert (finish(rules)[1:6, 1:6] == 1).all()


def test_rules_survive_json():
    rules = Postprocessing(
        classes={"one": Rule(threshold=0.3, fill_holes=True)}, task={"x": 1}
    )

    assert Postprocessing.from_json(to_json(rules), "here") == rules
    assert rules.thresholds == {"one": 0.3}


@pytest.mark.parametrize(
    "raw", [{"threshold": 0}, {"minimum_size": -1}, {"fill": True}, {"threshold": "x"}]
)
def test_rules_that_cannot_be_are_refused(raw):
    with pytest.raises(PlanError, match="rules.json"):
        Postprocessing.from_json({"classes": {"one": raw}}, "rules.json")


@pytest.mark.parametrize("order", ["C", "F"])
def test_of_equal_components_the_first_stays_however_they_lie_in_memory(order):
    mask = np.zeros((6, 8), bool, order=order)
    mask[0, 5] = mask[4, 1] = True

    found = kept(mask, Rule(largest_component=True))

    assert np.argwhere(found).tolist() == [[0, 5]]


def test_a_view_is_numbered_as_its_copy():
    mask = np.zeros((12, 16), bool)
    mask[8, 2] = mask[0, 10] = True
    view = mask.T[::2, ::2]  # at (1, 4) and (5, 0)

    numbers, sizes = components(view)

    assert (numbers[1, 4], numbers[5, 0], sizes.tolist()) == (1, 2, [1, 1])


@pytest.mark.parametrize("dim", [2, 3], ids=["picture", "volume"])
@pytest.mark.parametrize(
    "rules",
    [
        {"one": Rule(fill_holes=True)},
        {"two": Rule(largest_component=True)},
        {"one": Rule(minimum_size=30.0), "two": Rule(minimum_size=30.0)},
        {
            "one": Rule(fill_holes=True, largest_component=True),
            "two": Rule(fill_holes=True, minimum_size=20.0),
        },
    ],
    ids=["holes", "largest", "small", "all"],
)
def test_what_is_in_a_file_is_finished_as_in_memory(rules, dim, monkeypatch):
    shape = (9, 10, 11) if dim == 3 else (30, 31)
    rng = np.random.default_rng(2)
    smooth = gaussian_filter(rng.normal(size=(2, *shape)), (0, *[1.2] * dim))
    inner = (smooth[0] > 0) * (1 + (smooth[1] > 0.1)).astype(np.int16)
    inner[(slice(3, 6),) * dim], inner[(4,) * dim] = 1, 0  # a hole for sure
    monkeypatch.setattr(mapped, "IN_MEMORY", 0)
    monkeypatch.setattr(mapped, "AT_ONCE", 100)
    for module in (components_module, holes, postprocessing):
        monkeypatch.setattr(module, "SLAB", 100)
    filed = mapped.filed(shape, np.uint8)
    filed[...] = TASK.write(inner)
    given = Postprocessing(classes=rules)

    expected = TASK.write(given.finish(inner.copy(), TASK, (1.0,) * dim))
    found = given.finish_in_file(filed, TASK, (1.0,) * dim)

    assert found is filed
    assert (expected != TASK.write(inner)).any()
    np.testing.assert_array_equal(found, expected)
