import math

import numpy as np
import pytest

from autoseg.evaluate.aggregate import FEW, _mean_of_finite, aggregate, caution
from autoseg.metrics.pooled import Ratio

NAN, INF = math.nan, math.inf


def _one_class(values, metric="dice"):
    return {str(i): {"a": {metric: value}} for i, value in enumerate(values)}


def test_moments_are_those_of_the_values():
    classes, _ = aggregate(_one_class([0.5, 0.7, 0.9, 0.7]))
    found = classes["a"]["dice"]

    assert found.mean == pytest.approx(0.7)
    assert found.std == pytest.approx(math.sqrt(0.08 / 3))
    assert found.median == pytest.approx(0.7)
    assert (found.count, found.infinite) == (4, 0)


def test_the_interval_is_about_two_standard_errors_wide():
    # For many values the bootstrap approaches mean +- 1.96 s / sqrt(n).
    values = np.random.default_rng(0).normal(0.8, 0.05, 200)

    found = aggregate(_one_class(values))[0]["a"]["dice"]

    half = 1.96 * values.std(ddof=1) / math.sqrt(200)
    assert found.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.15 * half)


def test_the_same_seed_gives_the_same_interval_and_another_one_another():
    cases = _one_class(np.random.default_rng(0).random(40))

    first, again, other = (aggregate(cases, seed)[0] for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_what_is_not_defined_counts_nowhere():
    found = aggregate(_one_class([0.5, NAN, 0.9]))[0]["a"]["dice"]

    assert found.mean == pytest.approx(0.7)
    assert found.count == 2


def test_what_is_never_defined_has_no_mean():
    found = aggregate(_one_class([NAN, NAN]))[0]["a"]["dice"]

    assert math.isnan(found.mean) and math.isnan(found.low) and math.isnan(found.median)
    assert found.count == 0


def test_infinite_distances_leave_the_mean_and_move_the_median():
    found = aggregate(_one_class([1.0, 2.0, INF, 3.0, INF], "hd95"))[0]["a"]["hd95"]

    assert found.mean == pytest.approx(2.0)
    assert found.median == 3.0  # the middle of 1, 2, 3, inf, inf
    assert (found.count, found.infinite) == (5, 2)


def test_one_case_has_no_interval():
    classes, foreground = aggregate(_one_class([0.5]))

    for found in (classes["a"]["dice"], foreground["dice"]):
        assert found.mean == 0.5
        assert math.isnan(found.low) and math.isnan(found.std)


def test_the_foreground_mean_is_the_mean_of_the_classes_means():
    # nnU-Net's rule: a class that is rarely there weighs as much as the others.
    cases = {
        "1": {"a": {"dice": 0.9}, "b": {"dice": 0.2}},
        "2": {"a": {"dice": 0.7}, "b": {"dice": NAN}},
        "3": {"a": {"dice": 0.8}, "b": {"dice": NAN}},
    }

    found = aggregate(cases)[1]["dice"]

    assert found.mean == pytest.approx((0.8 + 0.2) / 2)
    assert found.median == pytest.approx(0.7)  # of 0.55, 0.7 and 0.8
    assert found.low <= found.mean <= found.high


def test_a_case_that_misses_one_class_is_the_worst_of_all():
    cases = {
        "1": {"a": {"hd95": 1.0}, "b": {"hd95": 1.0}},
        "2": {"a": {"hd95": 0.5}, "b": {"hd95": INF}},
        "3": {"a": {"hd95": 2.0}, "b": {"hd95": 2.0}},
    }

    found = aggregate(cases)[1]["hd95"]

    assert found.median == 2.0  # of 1, 2 and infinity
    assert (found.count, found.infinite) == (3, 1)


def test_a_class_of_some_cases_only_is_summed_up_over_those():
    cases = {"1": {"a": {"dice": 1.0}}, "2": {"b": {"dice": 0.5}}}

    classes, foreground = aggregate(cases)

    assert (classes["a"]["dice"].count, classes["b"]["dice"].count) == (1, 1)
    assert foreground["dice"].mean == 0.75


def test_nothing_gives_nothing():
    assert aggregate({}) == ({}, {})


POOLED = {"rate": [Ratio(over={"hit": 1}, under={"all": 1})]}


def _counts(hits, of):
    return {
        str(i): {"a": {"hit": float(h), "all": float(n)}}
        for i, (h, n) in enumerate(zip(hits, of, strict=True))
    }


def test_pooled_metrics_come_from_sums_over_cases():
    classes, foreground = aggregate(_counts([9, 0], [90, 10]), pooled=POOLED)

    assert classes["a"]["rate"].mean == pytest.approx(9 / 100)
    assert foreground["rate"].mean == pytest.approx(9 / 100)
    assert classes["a"]["rate"].count == 2
    # Both cases, or one of them twice: 9 / 100, 18 / 180, 0 / 20.
    assert classes["a"]["rate"].low == 0
    assert classes["a"]["rate"].high == pytest.approx(0.1)


def test_the_interval_of_a_pooled_metric_is_that_of_a_ratio_estimate():
    # Large samples: the standard error of sum(h) / sum(n) is, by the delta method,
    # std(h - r n) / (mean(n) sqrt(cases)).
    rng = np.random.default_rng(1)
    of = rng.integers(10, 200, 300)
    hits = rng.binomial(of, rng.uniform(0.3, 0.9, 300))

    found = aggregate(_counts(hits, of), pooled=POOLED)[0]["a"]["rate"]

    rate = hits.sum() / of.sum()
    half = 1.96 * (hits - rate * of).std(ddof=1) / of.mean() / math.sqrt(300)
    assert found.mean == pytest.approx(rate)
    assert found.low == pytest.approx(rate - half, abs=0.15 * half)
    assert found.high == pytest.approx(rate + half, abs=0.15 * half)


def test_a_pooled_metric_needs_all_of_its_counts():
    classes, foreground = aggregate({"1": {"a": {"hit": 1.0}}}, pooled=POOLED)

    assert "rate" not in classes["a"] and "rate" not in foreground


def test_a_pooled_metric_of_nothing_is_not_defined():
    found = aggregate(_counts([0, 0], [0, 0]), pooled=POOLED)[0]["a"]["rate"]

    assert math.isnan(found.mean) and math.isnan(found.low) and found.count == 0


def test_a_class_can_stay_out_of_the_mean_over_classes():
    cases = {
        str(i): {"a": {"hit": 1.0, "all": 2.0}, "any": {"hit": 2.0, "all": 2.0}}
        for i in range(3)
    }

    classes, foreground = aggregate(cases, pooled=POOLED, apart=("any",))

    assert classes["any"]["rate"].mean == 1
    assert foreground["rate"].mean == foreground["hit"].mean / 2 == 0.5


@pytest.mark.parametrize(("cases", "enough"), [(5, False), (8, False), (20, True)])
def test_there_is_a_warning_where_intervals_hold_the_mean_too_rarely(cases, enough):
    # Of so many cases that scatter normally about 0, by a bootstrap written out here.
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(1500):
        scores = rng.normal(size=cases)
        means = scores[rng.integers(0, cases, (500, cases))].mean(axis=1)
        low, high = np.quantile(means, [0.025, 0.975])
        held += low <= 0 <= high

    assert (held / 1500 > 0.9) == enough == (caution(cases) == "")
    assert caution(FEW) == ""


def test_means_of_finite_values_are_those_of_single_rows_to_the_bit():
    random = np.random.default_rng(0)
    rows = random.random((40, 13))
    rows[10:20][random.random((10, 13)) < 0.4] = np.nan
    rows[20, :], rows[21, 3] = np.nan, np.inf

    found = _mean_of_finite(np.asfortranarray(rows))

    kept = [row[np.isfinite(row)] for row in rows]
    expected = [np.mean(row) if len(row) else np.nan for row in kept]
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.isnan(found).sum() == 1
    assert np.isnan(_mean_of_finite(np.zeros((2, 0)))).all()
