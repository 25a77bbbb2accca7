"""What folds and mirrored copies say together about a point."""

import numpy as np
import pytest

from autoseg.predict.readouts.consensus import combine
from autoseg.spec.points import PRESENT, Points
from autoseg.tasks.landmark import LandmarkTask

TASK = LandmarkTask(("a",))


def opinion(place, score):
    places = np.array([place], dtype=float)
    details = {
        "score": np.array([score]),
        "covariance": np.eye(len(place))[None],
        "peak": places,
    }
    return Points(("a",), places, np.array([PRESENT]), details, (100, 100))


def place_of(*opinions, spacing=()):
    return combine([opinion(*one) for one in opinions], TASK, spacing).coordinates[0]


def test_opinions_near_to_each_other_are_averaged_by_score():
    # (10 * 0.9 + 14 * 0.3) / 1.2 is 11, at most 3 * 1.5 voxels from each of them.
    np.testing.assert_allclose(place_of(((10, 5), 0.9), ((14, 5), 0.3)), (11, 5))


@pytest.mark.parametrize("far", [40, 80])
def test_one_fold_that_takes_another_place_does_not_move_the_landmark_there(far):
    found = place_of(
        ((10, 5), 0.5), ((10.4, 5), 0.5), ((10.2, 5), 0.5), ((far, 5), 0.6)
    )
    assert abs(found[0] - 10.2) < 0.5  # the mean would be 8 voxels off, or more


def test_of_two_that_contradict_each_other_the_surer_one_counts():
    found = place_of(((10, 5), 0.3), ((70, 5), 0.8))
    assert abs(found[0] - 70) < 0.5


def test_nearness_is_measured_on_the_networks_grid_along_each_axis():
    # Slices 4 times as thick: three widths of the target are three slices of 0.7 and
    # fewer than the 12 voxels in the plane.
    near = place_of(((10, 5), 0.5), ((12, 5), 0.5), spacing=(4.0, 1.0))
    np.testing.assert_allclose(near, (11, 5))
    far = place_of(((10, 5), 0.6), ((60, 5), 0.4), spacing=(4.0, 1.0))
    assert far[0] < 10.1
