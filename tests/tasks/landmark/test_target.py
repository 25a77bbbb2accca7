"""Targets are Gaussians that no grid is too coarse for."""

import numpy as np
import pytest

from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.tasks.landmark.target import heat_of, stage_of_outputs, widths_on


def test_widths_are_in_outputs_and_never_between_them():
    assert widths_on([3.0, 3.0, 3.0], (6.0, 1.5, 1.0)) == (0.7, 2.0, 3.0)
    assert widths_on([3.0, 3.0, 3.0], (1.5, 1.0), (2, 1)) == (1.0, 3.0)


@pytest.mark.parametrize(("widths", "stage"), [((9.0, 2.9), 0), ((1.0, 3.0), 1)])
def test_half_the_resolution_is_for_targets_that_are_wide_along_the_finest_axis(
    widths, stage
):
    assert stage_of_outputs(widths, (1.0, 0.5)).stage == stage


def test_heat_is_one_at_a_present_point_and_falls_as_a_gaussian():
    points = Points(
        ("here", "nowhere"),
        np.array([[2.0, 3.0], [np.nan, np.nan]]),
        np.array([PRESENT, ABSENT]),
        shape=(5, 7),
    )

    heat = heat_of(points, (1.0, 2.0))

    assert (heat.shape, heat.dtype) == ((2, 5, 7), np.float32)
    assert heat[0, 2, 3] == 1
    assert heat[0, 3, 3] == heat[0, 2, 1] == pytest.approx(np.exp(-0.5))
    assert not heat[1].any()
