"""Strides and kernels; the first three examples were seen in nnU-Net v2."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planners.grids.topology import find_topology


def test_a_cube_is_halved_five_times():
    topology = find_topology((1.0, 1.0, 1.0), (128, 128, 128))

    assert topology.stages == 6
    assert topology.divisors == (32, 32, 32)  # 128 = 4 * 2 ** 5
    assert topology.kernels == ((3, 3, 3),) * 6


def test_a_coarse_axis_is_halved_later_and_convolved_later():
    topology = find_topology((5.0, 0.7, 0.7), (20, 320, 256))

    assert topology.divisors == (4, 64, 64)
    assert topology.kernels[:2] == ((1, 3, 3), (1, 3, 3))  # 5 / 0.7, 5 / 1.4 >= 2
    assert topology.kernels[2:] == ((3, 3, 3),) * 5
    # 5 / 2.8 < 2: from the third halving on, the coarse axis takes part.
    assert topology.strides[:4] == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2))


def test_axes_within_a_factor_of_two_are_halved_together():
    topology = find_topology((3.0, 0.8, 0.8), (40, 192, 160))

    assert topology.divisors == (8, 32, 32)
    assert topology.strides == (
        (1, 1, 1),
        (1, 2, 2),
        (2, 2, 2),
        (2, 2, 2),
        (2, 2, 2),
        (1, 2, 2),
    )


def test_a_patch_is_rounded_up_to_what_can_be_halved():
    # 35 -> 18 -> 9 -> 5: three times, so a multiple of 8; likewise 51 and 36.
    topology = find_topology((1.0, 1.0, 1.0), (35, 51, 36))

    assert topology.patch_size == (40, 56, 40)


def test_halves_of_a_median_shape_are_rounded_up_as_well():
    assert find_topology((1.0, 1.0), (35.5, 64)).patch_size == (40, 64)


def test_a_single_long_axis_stops_at_twelve_voxels():
    # Alone, an axis of 11 would be halved to 6; of 12 it may.
    assert find_topology((1.0, 1.0), (4, 11)).divisors == (1, 1)
    assert find_topology((1.0, 1.0), (4, 12)).divisors == (1, 2)


def test_a_patch_that_cannot_be_halved_still_has_two_stages():
    topology = find_topology((1.0, 1.0, 1.0), (3, 5, 7))

    assert topology.strides == ((1, 1, 1), (1, 1, 1))
    assert topology.patch_size == (3, 5, 7)


def test_there_are_no_more_stages_than_asked_for():
    topology = find_topology((1.0, 1.0, 1.0), (128, 128, 128), most_stages=4)

    assert topology.divisors == (8, 8, 8)


spacings = st.floats(0.05, 20)
edges = st.integers(1, 600)


@given(
    st.integers(2, 3).flatmap(
        lambda dim: st.tuples(st.tuples(*[spacings] * dim), st.tuples(*[edges] * dim))
    )
)
def test_every_topology_divides_its_patch_and_ends_with_four_voxels(grid):
    spacing, patch = grid

    topology = find_topology(spacing, patch)

    for size, wanted, step in zip(
        topology.patch_size, patch, topology.divisors, strict=True
    ):
        assert size % step == 0
        assert wanted <= size < wanted + step
        assert step == 1 or size // step >= 4
    assert topology.shapes()[-1] == tuple(
        size // step
        for size, step in zip(topology.patch_size, topology.divisors, strict=True)
    )
    assert len(topology.kernels) == len(topology.strides) == len(topology.shapes())


@pytest.mark.parametrize("dim", [2, 3])
def test_shapes_shrink_by_the_strides(dim):
    topology = find_topology((1.0,) * dim, (64,) * dim)

    counts = [math.prod(shape) for shape in topology.shapes()]

    assert counts == [(64 // 2**stage) ** dim for stage in range(5)]
