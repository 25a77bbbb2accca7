"""What augmentations draw from."""

import numpy as np
import pytest

from autoseg.augmentations.base import Context, as_range, two_sided, uniform
from autoseg.errors import UsageError


@pytest.mark.parametrize("bounds", [[0.5], [1.0, 0.5], [0.1, 0.2, 0.3], []])
def test_a_range_has_a_lower_and_an_upper_bound(bounds):
    with pytest.raises(UsageError, match="lower and an upper bound"):
        as_range(bounds)


def test_a_range_may_come_from_json():
    assert as_range([1, 8]) == (1.0, 8.0)


def test_numbers_are_uniform_between_the_bounds():
    rng = np.random.default_rng(0)
    numbers = np.array([uniform(rng, (2.0, 4.0)) for _ in range(4000)])

    counts, _ = np.histogram(numbers, bins=4, range=(2, 4))
    assert abs(counts - 1000).max() < 82  # three standard deviations


def test_a_two_sided_number_is_uniform_on_either_side_of_one():
    rng = np.random.default_rng(0)
    numbers = np.array([two_sided(rng, (0.7, 1.5)) for _ in range(4000)])

    below, _ = np.histogram(numbers, bins=2, range=(0.7, 1))
    above, _ = np.histogram(numbers, bins=2, range=(1, 1.5))
    assert abs(np.array([*below, *above]) - 1000).max() < 82


def test_a_range_above_one_is_one_sided():
    rng = np.random.default_rng(0)

    assert min(two_sided(rng, (1.2, 1.5)) for _ in range(100)) >= 1.2


@pytest.mark.parametrize(
    ("patch", "flat"),
    [
        ((10, 31, 30), True),
        ((10, 30, 30), False),
        ((30, 31, 8), False),
        ((4, 31), False),
    ],
)
def test_a_patch_is_flat_if_its_first_axis_is_less_than_a_third_of_the_longest(
    patch, flat
):
    assert Context(patch_size=patch, channels=1).flat == flat
