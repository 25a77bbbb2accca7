"""Points keep names, places and status together."""

import numpy as np
import pytest

from autoseg.errors import FormatError
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points, resized


def test_points_that_are_not_present_have_no_coordinates():
    points = Points(("a", "b"), np.array([[1, 2], [3, 4]]), np.array([PRESENT, ABSENT]))
    assert points.coordinates[0].tolist() == [1, 2]
    assert np.isnan(points.coordinates[1]).all()


def test_a_present_point_without_coordinates_is_an_error_that_names_it():
    with pytest.raises(FormatError, match="nose"):
        Points(("nose",), np.array([[np.nan, 1]]), np.array([PRESENT]))


def test_a_name_that_occurs_twice_is_an_error():
    with pytest.raises(FormatError, match="nose"):
        Points(("nose", "nose"), np.zeros((2, 2)), np.ones(2))


def test_points_can_be_had_in_another_order_with_unknown_ones():
    points = Points(
        ("a", "b"),
        np.array([[1, 2], [3, 4]]),
        np.ones(2),
        {"score": np.array([0.1, 0.9])},
    )
    ordered = points.ordered(("b", "c", "a"))
    assert ordered.status.tolist() == [PRESENT, UNKNOWN, PRESENT]
    assert ordered.coordinates[[0, 2]].tolist() == [[3, 4], [1, 2]]
    assert ordered.details["score"][[0, 2]].tolist() == [0.9, 0.1]


def test_resizing_keeps_the_corners_of_the_image_where_they_are():
    corners = np.array([[-0.5, -0.5], [9.5, 5.5]])
    there = resized(corners, (10, 6), (25, 3))
    assert there.tolist() == [[-0.5, -0.5], [24.5, 2.5]]
    assert np.allclose(resized(there, (25, 3), (10, 6)), corners)
