import pytest

from autoseg.evaluate.grids import differing_grids
from autoseg.spec.image import Geometry

GRID = {
    "shape": (10, 20, 30),
    "spacing": (3.0, 1.0, 1.0),
    "origin": (5.0, 6.0, 7.0),
    "direction": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0),
}


@pytest.mark.parametrize(
    "change, reason",
    [
        ({}, ""),
        ({"spacing": (3.0001, 1.0, 1.0)}, ""),
        ({"origin": (5.0001, 6.0, 7.0)}, ""),
        ({"shape": (10, 20, 31)}, "shape"),
        ({"spacing": (3.1, 1.0, 1.0)}, "spacing"),
        ({"origin": (6.0, 6.0, 7.0)}, "origin"),
        ({"direction": (-1.0, 0, 0, 0, 1, 0, 0, 0, 1)}, "direction"),
        ({"direction": (0.98, 0.199, 0, -0.199, 0.98, 0, 0, 0, 1)}, "direction"),
    ],
)
def test_grids_are_the_same_up_to_rounding(change, reason):
    found = differing_grids(Geometry(**GRID | change), Geometry(**GRID))

    assert (reason in found) if reason else not found


def test_formats_without_geometry_are_compared_by_shape():
    first = Geometry(shape=(4, 5), spacing=(1.0, 1.0), unit="px")
    second = Geometry(shape=(4, 5), spacing=(0.5, 0.5), unit="um", origin=(3.0, 3.0))

    assert differing_grids(first, second) == ""
