"""Tables of scores: every case counts, whatever the measure."""

import math

import numpy as np
import pytest

from autoseg.find_best.table import (
    gain_of,
    goodness,
    mean_interval,
    mean_of,
    worst_distance,
)
from autoseg.spec.fingerprint import Fingerprint

EMPTY = {"tp": 0, "fp": 0, "fn": 0, "dice": math.nan, "hd95": math.nan}
MISSED = {"tp": 0, "fp": 0, "fn": 9, "dice": 0.0, "hd95": math.inf}
FOUND = {"tp": 9, "fp": 0, "fn": 3, "dice": 0.75, "hd95": 2.0, "volume_error": -0.25}


@pytest.mark.parametrize(
    ("scores", "by", "expected"),
    [
        (EMPTY, "dice", 1.0),
        (EMPTY, "hd95", 0.0),
        (MISSED, "dice", 0.0),
        (MISSED, "hd95", -50.0),
        (FOUND, "dice", 0.75),
        (FOUND, "hd95", -2.0),
        (FOUND, "volume_error", -0.25),
    ],
)
def test_higher_is_better_and_every_case_counts(scores, by, expected):
    assert goodness(scores, by, worst=50.0) == expected


def test_what_is_not_defined_does_not_count():
    # Sensitivity of a class that was found and is not there.
    scores = {"tp": 0, "fp": 4, "fn": 0, "sensitivity": math.nan}

    assert math.isnan(goodness(scores, "sensitivity", worst=50.0))


def test_no_distance_is_longer_than_the_largest_images_diagonal():
    fingerprint = Fingerprint(
        dataset="A",
        unit="mm",
        channel_names=("MR",),
        num_cases=2,
        shapes=((3, 4), (30, 20)),
        spacings=((1.0, 1.0), (1.0, 2.0)),
    )

    assert worst_distance(fingerprint) == 50.0  # 30 and 40


def test_the_mean_is_that_of_the_classes_means():
    table = np.array([[1.0, 0.2], [0.5, math.nan]])

    assert mean_of(table) == pytest.approx((0.75 + 0.2) / 2)


def test_a_gain_of_every_case_is_sure_and_one_of_few_is_not():
    before = np.full((20, 1), 0.5)
    every = before + np.linspace(0.01, 0.03, 20)[:, None]
    mixed = before + np.linspace(-0.03, 0.031, 20)[:, None]

    assert gain_of(before, every).is_sure
    assert gain_of(before, every).mean == pytest.approx(0.02)
    assert not gain_of(before, mixed).is_sure
    assert not gain_of(before, before).is_sure


def test_one_case_gives_no_interval():
    one = np.array([[0.5]])

    assert not gain_of(one, one + 1).is_sure
    assert all(math.isnan(end) for end in mean_interval(one))


def test_the_interval_is_that_of_a_mean():
    values = np.random.default_rng(0).normal(0.8, 0.1, (400, 1))

    low, high = mean_interval(values)

    # 1.96 standard errors on each side: 1.96 * 0.1 / 20 = 0.0098.
    assert (high - low) / 2 == pytest.approx(0.0098, rel=0.15)
    assert low < values.mean() < high
