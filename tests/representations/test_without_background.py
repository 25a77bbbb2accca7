"""Maps of one instance only, or of none: nothing is measured to a voxel that is not.

A distance transform of a mask without background measures to an invented voxel.
"""

import numpy as np
import pytest

from autoseg.representations import maps
from autoseg.representations.border_core import BorderCore
from autoseg.representations.flow_distance import FlowDistance

SPACING = (2.0, 1.0)


def _name(made):
    return type(made).__name__


@pytest.mark.parametrize("made", [BorderCore(2), FlowDistance(2)], ids=_name)
def test_a_map_of_nothing_comes_back_empty(made):
    labels = np.zeros((12, 16), np.int32)
    outputs = made.encode(labels, SPACING)

    found, _ = made.decode(outputs, SPACING)

    assert all(np.isfinite(output).all() for output in outputs.values())
    assert not found.any()


@pytest.mark.parametrize("made", [BorderCore(2), FlowDistance(2)], ids=_name)
def test_an_instance_that_fills_the_map_comes_back_whole(made):
    labels = np.ones((12, 16), np.int32)
    outputs = made.encode(labels, SPACING)

    found, _ = made.decode(outputs, SPACING)

    assert all(np.isfinite(output).all() for output in outputs.values())
    assert (found == 1).all()


def test_depth_of_a_large_instance_that_fills_the_map_is_that_of_the_map(monkeypatch):
    monkeypatch.setattr(maps, "_nearer_along", lambda *arguments: None)
    asked = []
    real = maps._depth_of_large
    monkeypatch.setattr(maps, "_depth_of_large", lambda *a: asked.append(a) or real(*a))

    found = maps.depth(np.ones((3, 4), np.int32), (1.0, 1.0))

    assert asked and (found == 5).all()  # 3, 4, 5
