"""Windows cover everything, evenly, and count most in their center."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoseg.errors import UsageError
from autoseg.predict.windows.tiling import (
    importance_map,
    padding,
    widen,
    window_origins,
)


def test_windows_are_evenly_spread_from_border_to_border():
    # 110 - 64 = 46 voxels to go, at most 32 at a time: two steps of 23.
    assert window_origins(110, 64, 0.5) == (0, 23, 46)


def test_half_positions_are_rounded_to_the_even_voxel():
    # ceil((25 - 8) / 4) + 1 = 6 windows, 17 / 5 = 3.4 apart.
    assert window_origins(25, 8) == (0, 3, 7, 10, 14, 17)
    # ceil(5 / 4) + 1 = 3 windows, 2.5 apart: 2.5 becomes 2.
    assert window_origins(13, 8) == (0, 2, 5)


@given(
    patch=st.integers(1, 40),
    extra=st.integers(0, 100),
    step_size=st.sampled_from([0.1, 0.25, 0.5, 0.7, 1.0]),
)
def test_every_voxel_is_in_a_window_and_no_step_is_too_long(patch, extra, step_size):
    origins = window_origins(patch + extra, patch, step_size)

    steps = np.diff(origins)
    assert origins[0] == 0
    assert origins[-1] == extra
    assert np.all(steps <= max(1, np.ceil(patch * step_size)))
    assert np.all(steps >= 0)


def test_a_window_that_fits_exactly_is_alone():
    assert window_origins(64, 64) == (0,)


@pytest.mark.parametrize("step_size", [0, -0.5, 1.01])
def test_a_step_that_leaves_gaps_is_refused(step_size):
    with pytest.raises(UsageError, match="step size"):
        window_origins(100, 10, step_size)


def test_the_odd_voxel_of_padding_is_on_the_high_side():
    assert padding((5, 30, 6), (10, 10, 8)) == ((2, 3), (0, 0), (1, 1))


def test_importance_is_a_gaussian_around_the_middle_voxel():
    weights = importance_map((32, 48)).astype(float)

    peak = np.unravel_index(weights.argmax(), weights.shape)
    assert peak == (16, 24)
    assert weights[peak] == 10
    # One standard deviation is an eighth of the edge: 4 and 6 voxels.
    assert weights[20, 24] == pytest.approx(10 * np.exp(-0.5), rel=2e-3)
    assert weights[16, 30] == pytest.approx(10 * np.exp(-0.5), rel=2e-3)


def test_every_voxel_counts_something():
    weights = importance_map((64, 64, 64))

    assert weights.dtype == np.float16
    assert weights.min() > 0
    assert weights[0, 0, 0] == weights[weights > 0].min()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        # 3 of 256 cover 520 with 768, 2 of 320 with 640; 4 of 256 cover 696 with
        # 1,024, 3 of 320 with 960, 3 of 384 with 1,152, 2 of 448 with 896.
        ((520, 696), (320, 448)),
        ((256, 256), (256, 256)),
        ((360, 360), (256, 256)),  # 320 need two as well; 384 would overhang
        ((200, 300), (256, 256)),
        # 11 of 256 are 2,816, 7 of 384 are 2,688: too little for other windows
        ((2048, 2048), (256, 256)),
    ],
)
def test_windows_are_wider_where_that_saves_voxels(shape, expected):
    assert widen((256, 256), shape, (64, 64), 0.75) == expected


@given(
    patch=st.integers(1, 6),
    divisor=st.integers(1, 16),
    size=st.integers(1, 400),
    step_size=st.sampled_from([0.25, 0.5, 0.75, 1.0]),
    reflected=st.booleans(),
)
def test_wider_windows_fit_the_network_and_the_array(
    patch, divisor, size, step_size, reflected
):
    edge = patch * divisor

    (wide,) = widen((edge,), (size,), (divisor,), step_size, reflected=reflected)

    most = size + (divisor - 1) * reflected
    assert wide % divisor == 0
    assert edge <= wide <= max(edge, min(most, 1.75 * edge))
    if wide > edge:
        voxels, before = (
            e * len(window_origins(max(size, e), e, step_size)) for e in (wide, edge)
        )
        assert voxels <= 0.85 * before
