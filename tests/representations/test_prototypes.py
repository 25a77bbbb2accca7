"""Prototypes."""

import numpy as np
import pytest

from autoseg.phantoms.rods import make_rods
from autoseg.representations import REPRESENTATIONS
from autoseg.representations.prototypes import Prototypes
from autoseg.tasks.instance import InstanceTask
from autoseg.tasks.instance.trial import pool_trials

FLAT = (1.0, 1.0)


def crossing():
    layers = np.zeros((2, 30, 30), np.int32)
    layers[0, 2:28, 12:16] = 4
    layers[1, 14:18, 2:28] = 9
    return layers


def wholes(found):
    return {(mask.start, mask.inside.shape, mask.size) for mask, _ in found}


CROSS = {((2, 12), (26, 4), 104), ((14, 2), (4, 26), 104)}


def test_objects_that_cross_come_back_whole():
    made = Prototypes(2, prototypes=2)

    assert wholes(made.find(made.encode(crossing(), FLAT), FLAT)) == CROSS


def test_with_one_prototype_those_that_cross_cannot_be_told_apart():
    made = Prototypes(2, prototypes=1)

    assert len(made.find(made.encode(crossing(), FLAT), FLAT)) == 1


def test_far_objects_share_a_prototype():
    layers = np.zeros((1, 20, 60), np.int32)
    layers[0, 4:10, 4:10], layers[0, 4:10, 40:50] = 1, 2
    made = Prototypes(2, prototypes=1)

    found = made.find(made.encode(layers, FLAT), FLAT)

    assert wholes(found) == {((4, 4), (6, 6), 36), ((4, 40), (6, 10), 60)}


@pytest.fixture(scope="module")
def ceilings():
    """Of everything, on rods of which a quarter cross."""
    task = InstanceTask({"rod": 1})
    truths = [make_rods(0, number, 96).instances for number in range(2)]
    pooled = task.pool([task.measure(truth, FLAT) for truth in truths])
    return pool_trials([task.trial(truth, FLAT, pooled) for truth in truths])


def test_what_holds_overlaps_keeps_rods_that_cross_and_the_others_lose_them(ceilings):
    assert ceilings.keys() == set(REPRESENTATIONS.names())
    for name, found in ceilings.items():
        if REPRESENTATIONS[name].holds:
            assert found["ap_50"] == 1 and found["ap_90"] >= 0.97, name
        else:
            assert found["ap_90"] < 0.8, name


def test_an_ellipse_tells_where_an_object_is_without_any_map():
    made = Prototypes(2, prototypes=1, ellipse=True, scale=5.0)
    layers = np.zeros((1, 30, 30), np.int32)
    layers[0, 5:25, 10:20] = 1
    output = made.encode(layers, FLAT)["prototypes"]
    assert wholes(made.find({"prototypes": output}, FLAT)) == {((5, 10), (20, 10), 200)}
    output[5] = output[-1] = 0.0  # the weight, and the map
    rows, columns = np.indices((30, 30))
    told = output[6:12]
    told[0], told[1] = (14.5 - rows) / 5, (14.5 - columns) / 5
    told[2], told[3], told[5] = 0.5 - 1, 1 - 1, 1.0  # half axes of 2 and 1, times 5

    ((mask, _),) = made.find({"prototypes": output}, FLAT)

    assert mask.start == (5, 10) and mask.inside.shape == (20, 10)
    assert mask.size == pytest.approx(np.pi * 10 * 5, rel=0.03)
