import math

import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.metrics.points import (
    area_under_errors,
    area_under_roc,
    distances,
    normalizing_length,
    presence,
    score_points,
)
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points

REFERENCE = Points.of({"a": (0, 0), "b": (0, 40), "c": (30, 40)}, dim=2)


def shifted(by, status=(PRESENT,) * 3, **details):
    return Points(
        REFERENCE.names,
        REFERENCE.coordinates + by,
        np.array(status),
        {name: np.array(values) for name, values in details.items()},
    )


def test_distances_are_in_the_unit_of_the_spacing():
    found = distances(shifted((3, 4)), REFERENCE, (2.0, 0.5))

    # (3 * 2, 4 * 0.5)
    np.testing.assert_allclose(found, math.hypot(6, 2))


def test_points_are_matched_by_name():
    turned = shifted((0, 0)).ordered(("c", "a", "b"))

    scores = score_points(turned, REFERENCE, (1, 1))

    assert [of["mre"] for of in scores.values()] == [0, 0, 0]


@pytest.mark.parametrize("distance, hit", [(2.0, 1.0), (2.0 + 1e-9, 0.0)])
def test_a_radius_is_reached_where_it_ends(distance, hit):
    scores = score_points(shifted((distance, 0)), REFERENCE, (1, 1))

    assert scores["a"]["sdr_2"] == hit
    assert scores["a"]["sdr_1"] == 0
    assert scores["a"]["sdr_2.5"] == 1


def test_a_radius_is_reached_in_decimal_numbers():
    # 18 and 24 pixels of 0.1 mm: 3 mm, although binary numbers give a little more
    scores = score_points(shifted((18, 24)), REFERENCE, (0.1, 0.1))

    assert scores["a"]["mre"] > 3
    assert scores["a"]["sdr_3"] == 1 and scores["a"]["sdr_2.5"] == 0


def test_a_missed_point_has_no_distance_and_no_success():
    missed = shifted((0, 0), (ABSENT, PRESENT, PRESENT))

    scores = score_points(missed, REFERENCE, (1, 1))["a"]

    assert math.isnan(scores["mre"]) and math.isnan(scores["nme"])
    assert scores["sdr_10"] == 0 and scores["pck_0.2"] == 0
    assert [scores[n] for n in ("tp", "fn", "fp", "tn")] == [0, 1, 0, 0]


def test_of_absent_points_only_what_was_said_counts():
    reference = Points(REFERENCE.names, REFERENCE.coordinates, np.array([1, 0, 0]))
    predicted = shifted((0, 0), (PRESENT, PRESENT, ABSENT))

    scores = score_points(predicted, reference, (1, 1))

    assert scores["b"]["fp"] == 1 and scores["c"]["tn"] == 1
    assert math.isnan(scores["b"]["sdr_2"]) and math.isnan(scores["b"]["mre"])


def test_of_unknown_points_nothing_counts():
    reference = Points(
        REFERENCE.names, REFERENCE.coordinates, np.array([PRESENT, PRESENT, UNKNOWN])
    )

    scores = score_points(shifted((0, 0), score=[1, 1, 1]), reference, (1, 1))["c"]

    assert all(math.isnan(value) for value in scores.values())


@pytest.mark.parametrize(
    "rule, length",
    [
        ("diagonal", 50.0),  # hypot(30, 40)
        ("box", math.sqrt(1200)),  # 30 * 40
        (("a", "b"), 40.0),
        (("b", "c"), 30.0),
    ],
)
def test_errors_are_normalized_by_the_rule(rule, length):
    assert normalizing_length(REFERENCE, (1, 1), rule) == pytest.approx(length)
    scores = score_points(shifted((0, 4)), REFERENCE, (1, 1), rule)["a"]
    assert scores["nme"] == pytest.approx(4 / length)
    assert scores["pck_0.1"] == (4 <= 0.1 * length)


def test_a_single_point_has_no_normalized_error():
    one = Points.of({"a": (0, 0)}, dim=2)

    scores = score_points(one, one, (1, 1))["a"]

    assert math.isnan(scores["nme"]) and math.isnan(scores["pck_0.2"])
    assert scores["mre"] == 0


@pytest.mark.parametrize("rule", ["head", ("a", "nose"), ("a",)])
def test_an_unknown_normalization_is_refused(rule):
    with pytest.raises(UsageError, match="cannot be normalized"):
        score_points(REFERENCE, REFERENCE, (1, 1), rule)


def test_a_predicted_radius_covers_an_error_that_it_reaches():
    predicted = shifted((0, 3), error_p50=[1, 3, 5], error_p95=[3, np.nan, 2])

    scores = score_points(predicted, REFERENCE, (1, 1))

    assert [of["covered_50"] for of in scores.values()] == [0, 1, 1]
    assert scores["a"]["covered_95"] == 1 and scores["c"]["covered_95"] == 0
    assert math.isnan(scores["b"]["covered_95"])


def test_the_area_under_errors_is_that_of_the_curve():
    errors = np.random.default_rng(0).uniform(0, 0.2, 50)
    limits = np.linspace(0, 0.1, 20_001)
    curve = (errors[:, None] <= limits).mean(0)

    expected = np.trapezoid(curve, limits) / 0.1

    assert area_under_errors(errors, 0.1) == pytest.approx(expected, abs=1e-4)
    assert area_under_errors(np.array([math.inf, 0]), 0.1) == 0.5
    assert math.isnan(area_under_errors(np.zeros(0), 0.1))


def test_the_area_under_the_roc_is_scikit_learns():
    from sklearn.metrics import roc_auc_score  # takes a second

    rng = np.random.default_rng(0)
    scores, present = rng.integers(0, 9, 60) / 9, rng.random(60) < 0.6

    assert area_under_roc(scores, present) == pytest.approx(
        roc_auc_score(present, scores)
    )
    assert math.isnan(area_under_roc(scores, np.ones(60, bool)))


def test_presence_is_undefined_where_nothing_is_said_and_there():
    assert presence({"tp": 3, "fp": 1, "fn": 2}) == {
        "precision": 3 / 4,
        "recall": 3 / 5,
        "f1": 6 / 9,
    }
    assert math.isnan(presence({"tp": 0, "fp": 0, "fn": 1})["precision"])
