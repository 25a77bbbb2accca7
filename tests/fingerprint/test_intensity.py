"""Intensities of all cases in bounded memory, against NumPy on all values."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autoseg.errors import DatasetError
from autoseg.fingerprint.intensity import MOST_BINS, Sketch

SHARES = (0.0, 0.005, 0.1, 0.37, 0.9, 0.995, 1.0)


def _pooled(parts) -> Sketch:
    sketch = Sketch()
    for values in parts:
        sketch = sketch.merge(Sketch.of(values))
    return sketch


def _weighted(parts):
    """Return all values and weights with which each part counts the same."""
    values = np.concatenate(parts).astype(np.float32).astype(np.float64)
    weights = np.concatenate([np.full(len(p), 1 / len(p)) for p in parts])
    return values, weights / weights.sum()


def _check(sketch, parts, shares=SHARES):
    values, weights = _weighted(parts)
    mean = np.average(values, weights=weights)
    deviation = math.sqrt(np.average((values - mean) ** 2, weights=weights))
    found = sketch.summary()
    assert found.voxels == len(values)
    assert found.mean == pytest.approx(mean, rel=1e-9, abs=1e-9)
    assert found.std == pytest.approx(deviation, rel=1e-7)
    assert (found.min, found.max) == (values.min(), values.max())
    for share in shares:
        exact = np.quantile(values, share, weights=weights, method="inverted_cdf")
        allowed = sketch.relative_error * max(abs(exact), 1.2e-38) + 1e-12 * abs(exact)
        assert abs(sketch.quantile(share) - exact) <= allowed
        assert values.min() <= sketch.quantile(share) <= values.max()


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).integers(-1024, 3072, 50_001),
        np.random.default_rng(1).integers(0, 65_536, 200_001),
        np.random.default_rng(2).integers(0, 256, 1001) * 0.25 - 7,
        np.array([5.5]),
        np.array([-3.0, -3.0, 4.0]),
        np.array([0.0, -0.0, 1.0]),
    ],
    ids=["ct", "16 bit", "scaled 8 bit", "one", "three", "zeros"],
)
def test_images_of_up_to_sixteen_bits_have_exact_numbers(values):
    sketch = Sketch.of(values)

    assert sketch.relative_error == 0
    assert sketch.summary().median == np.median(values)
    _check(sketch, [values])


@pytest.mark.parametrize(
    ("values", "largest_error"),
    [
        (np.random.default_rng(0).normal(0, 1, 400_000), 2**-11),
        (np.random.default_rng(1).normal(-500, 20, 400_000), 2**-15),
        (np.random.default_rng(2).lognormal(0, 5, 400_000), 2**-10),
        (1000 + np.random.default_rng(3).random(400_000), 2**-16),
        (-np.random.default_rng(4).exponential(1e-4, 400_000), 2**-10),
    ],
    ids=["normal", "offset", "lognormal", "narrow", "negative"],
)
def test_percentiles_of_any_values_are_within_the_stated_error(values, largest_error):
    parts = np.array_split(values, [20_000, 150_000, 151_000])

    sketch = _pooled(parts)

    assert 0 <= sketch.relative_error <= largest_error
    assert len(sketch.keys) <= MOST_BINS
    _check(sketch, parts)


def test_cases_of_equal_size_have_the_numbers_of_their_pooled_voxels():
    parts = np.random.default_rng(0).integers(-50, 1000, (7, 999))

    found = _pooled(parts).summary()

    assert found.mean == pytest.approx(parts.mean(), rel=1e-12)
    assert found.std == pytest.approx(parts.std(), rel=1e-12)
    assert found.median == np.median(parts)
    for number, share in ((found.percentile_00_5, 0.5), (found.percentile_99_5, 99.5)):
        assert number == np.percentile(parts, share, method="inverted_cdf")


def test_whole_numbers_get_bars_that_hold_equally_many():
    values = np.repeat(np.arange(200), 5)  # 0.5 % below 1, 0.5 % above 198

    found = Sketch.of(values).summary().histogram

    # 198 / 64 is 3.1, so each bar holds four, from half a step before the first.
    low = np.percentile(values, 0.5, method="inverted_cdf")
    assert (found.start, found.width) == (low - 0.5, 4.0)
    assert set(found.shares[:-1]) == {4 * 5 / 1000}


def test_the_histogram_of_any_values_is_that_of_numpy():
    parts = [np.random.default_rng(n).normal(n, 1, 5000) for n in range(2)]

    found = _pooled(parts).summary().histogram

    edges = found.start + found.width * np.arange(len(found.shares) + 1)
    expected, _ = np.histogram(np.concatenate(parts), edges)
    assert len(found.shares) in (64, 65)
    assert found.shares == pytest.approx(expected / 10000, abs=5e-4)
    assert sum(found.shares) == pytest.approx(0.99, abs=2e-3)


def test_equal_values_have_no_histogram():
    assert Sketch.of(np.full(9, 3.0)).summary().histogram is None


def test_every_case_counts_the_same_however_large():
    large, small = np.zeros(9000), np.full(10, 6.0)

    found = _pooled([large, small]).summary()

    # Half of the weight is at 0 and half at 6: the mean is 3, and so is the deviation.
    assert found.mean == pytest.approx(3)
    assert found.std == pytest.approx(3)
    assert found.voxels == 9010
    assert _pooled([large, small]).quantile(0.49) == 0
    assert _pooled([large, small]).quantile(0.51) == 6


def test_the_numbers_are_those_of_nnunets_samples():
    rng = np.random.default_rng(0)
    parts = [
        rng.normal(100 * case, 10 + 5 * case, 300 * 4**case).astype(np.float32)
        for case in range(5)
    ]

    found = _pooled(parts).summary()

    # nnU-Net v2 draws as many voxels of each case, with replacement, and pools them.
    drawn = np.concatenate([rng.choice(part, 200_000) for part in parts])
    assert found.mean == pytest.approx(drawn.mean(), abs=0.7)  # 4 standard errors
    assert found.std == pytest.approx(drawn.std(), rel=0.01)
    assert found.median == pytest.approx(np.median(drawn), abs=1)
    low, high = np.percentile(drawn, (0.5, 99.5))
    assert found.percentile_00_5 == pytest.approx(low, abs=1)
    assert found.percentile_99_5 == pytest.approx(high, abs=1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        arrays(
            np.float32,
            st.integers(1, 30),
            elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
        ),
        min_size=1,
        max_size=4,
    ),
    st.floats(0, 1),
)
def test_few_values_are_exact_whatever_they_are(parts, share):
    sketch = _pooled(parts)

    values, weights = _weighted(parts)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    # Rounding may decide where the share is reached to the last bit.
    allowed = {
        values[order][min(len(order) - 1, np.searchsorted(reached, share + nudge))]
        for nudge in (-1e-9, 0, 1e-9)
    }
    assert sketch.quantile(share) in allowed
    assert sketch.count == len(values)


def test_the_histogram_does_not_depend_on_the_order_of_merging():
    parts = np.array_split(np.random.default_rng(0).normal(size=300_000), 9)

    forward, backward = _pooled(parts), _pooled(parts[::-1])
    nested = _pooled(parts[:4]).merge(_pooled(parts[4:]))

    for other in (backward, nested):
        assert other.shift == forward.shift > 0
        np.testing.assert_array_equal(other.keys, forward.keys)
        np.testing.assert_allclose(other.weights, forward.weights, rtol=1e-9)
        assert other.mean == pytest.approx(forward.mean, abs=1e-12)
        assert other.variance == pytest.approx(forward.variance, rel=1e-12)


def test_memory_is_bounded_however_many_cases_there_are():
    rng = np.random.default_rng(0)
    sketch = Sketch()
    for _ in range(30):
        sketch = sketch.merge(Sketch.of(rng.normal(size=20_000)))

    assert (sketch.count, sketch.cases) == (600_000, 30)
    assert len(sketch.keys) == len(sketch.weights) <= MOST_BINS
    assert sketch.weights.sum() == pytest.approx(30)
    assert len(json.dumps(sketch.to_json())) < 500_000


def test_large_means_do_not_drown_small_deviations():
    # Naive sums of squares of 1e6 lose all of a deviation of 0.1 in float32.
    values = np.float32(1e6) + np.float32(0.125) * (np.arange(9_999) % 2)

    sketch = _pooled(np.array_split(values.astype(np.float32), 3))

    assert sketch.mean == pytest.approx(1e6 + 0.0625, abs=1e-4)
    assert sketch.summary().std == pytest.approx(0.0625, rel=1e-6)


def test_a_sketch_survives_its_way_through_json():
    sketch = _pooled(np.random.default_rng(0).normal(size=(2, 50_000)))

    again = Sketch.from_json(json.loads(json.dumps(sketch.to_json())))

    np.testing.assert_array_equal(again.keys, sketch.keys)
    np.testing.assert_array_equal(again.weights, sketch.weights)
    assert again.summary() == sketch.summary()
    assert (again.shift, again.cases) == (sketch.shift, 2)


def test_no_values_merge_with_any_and_have_zeros_for_numbers():
    some = Sketch.of(np.array([1.0, 2.0]))

    assert Sketch().merge(some) is some
    assert some.merge(Sketch.of(np.zeros(0))) is some
    assert Sketch.from_json(Sketch().to_json()).cases == 0
    assert Sketch().summary().voxels == 0
    assert math.isnan(Sketch().quantile(0.5))


@pytest.mark.parametrize("bad", [np.nan, -np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(DatasetError, match="NaN or infinite"):
        Sketch.of(np.array([1.0, bad, 2.0], np.float32))


def test_values_keep_their_order_across_zero():
    values = np.array([-2.0, -1e-40, 0.0, 1e-40, 3.0], np.float32)

    sketch = Sketch.of(values)

    found = [sketch.quantile((i + 1) / 5) for i in range(5)]
    np.testing.assert_array_equal(np.float32(found), values)
