import numpy as np
import pytest

from autoseg.landmarks.confidence import (
    Confidence,
    calibrate,
    fit_radius,
    physical_covariance,
    presence_thresholds,
    spread_of,
)
from autoseg.spec._json import from_json, to_json
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points

NAMES = ("tip", "root", "end", "left", "right", "top")
SPACING = (2.0, 0.5)


def validation(count, seed=0, absent=0.0):
    """Return cases whose errors are as large as the covariance says."""
    rng = np.random.default_rng(seed)
    cases = []
    for _ in range(count):
        truth = np.arange(12.0).reshape(6, 2) ** 2 + rng.normal(0, 5, 2)
        missing = rng.random(6) < absent
        sd = rng.uniform(0.5, 4, 6)  # in the unit of the spacing, along each axis
        apart = sd[:, None] * rng.normal(size=(6, 2)) / SPACING
        score = np.where(missing, rng.beta(2, 5, 6), rng.beta(8, 2, 6))
        reference = Points(NAMES, truth, np.where(missing, ABSENT, PRESENT))
        details = {
            "score": score,
            "covariance": sd[:, None, None] ** 2 * np.diag(1 / np.square(SPACING)),
            "peak": truth + apart,
        }
        predicted = Points(NAMES, truth + apart, np.full(6, PRESENT), details)
        cases.append((predicted, reference, SPACING))
    return cases


def errors_of(predicted, reference):
    apart = (predicted.coordinates - reference.coordinates) * SPACING
    return np.linalg.norm(apart, axis=1)


@pytest.fixture(scope="module")
def learnt():
    return calibrate(validation(80))


def test_the_expected_radii_cover_what_they_say_on_new_cases(learnt):
    new = validation(200, seed=1)
    inside = {50: [], 95: []}
    for predicted, reference, spacing in new:
        found = learnt.annotate(predicted, spacing)
        for level, hits in inside.items():
            hits.extend(errors_of(found, reference) <= found.details[f"error_p{level}"])

    assert np.mean(inside[50]) == pytest.approx(0.5, abs=0.06)
    assert np.mean(inside[95]) == pytest.approx(0.95, abs=0.025)


def test_larger_spread_means_larger_radii(learnt):
    narrow, wide = learnt.radius.expected(np.array([[0.8] * 6, [4.0] * 6]), np.ones(6))

    assert (wide > 2 * narrow).all()


def test_covariances_are_in_the_unit_of_the_spacing():
    found = physical_covariance(np.array([[[1.0, 0.5], [0.5, 2.0]]]), (2.0, 0.5))

    assert found.tolist() == [[[4.0, 0.5], [0.5, 0.5]]]
    assert spread_of(found).tolist() == [pytest.approx(4.5**0.5)]


def test_a_landmark_that_is_never_absent_is_always_given():
    score = np.array([[0.1, 0.9]] * 10)
    present = np.ones((10, 2), bool)

    assert presence_thresholds(score, present, present) == [0.0, 0.0]


def test_a_threshold_lies_between_absent_and_present():
    score = np.array([[0.1], [0.2], [0.3], [0.2], [0.1]] + [[0.7], [0.8], [0.9]] * 2)
    present = score > 0.5

    # halfway from 0.3 to 0.7
    assert presence_thresholds(score, present, np.ones_like(present)) == [0.5]


def test_with_few_absent_cases_all_landmarks_decide_together():
    rng = np.random.default_rng(0)
    present = np.ones((40, 3), bool)
    present[:20, 0] = present[:1, 1] = False
    score = np.where(
        present, rng.uniform(0.6, 1, (40, 3)), rng.uniform(0, 0.4, (40, 3))
    )

    first, second, third = presence_thresholds(score, present, np.ones_like(present))

    assert 0.3 < first < 0.7 and 0.3 < second < 0.7
    assert third == 0.0


def test_the_threshold_has_the_best_f1_there_is():
    rng = np.random.default_rng(0)
    present = rng.random((60, 1)) < 0.6
    score = np.clip(0.3 * present + rng.uniform(0, 0.7, (60, 1)), 0, 1)

    def f1(threshold):
        said = score >= threshold
        return 2 * (said & present).sum() / (said.sum() + present.sum())

    (found,) = presence_thresholds(score, present, np.ones_like(present))

    assert f1(found) == max(f1(t) for t in [0, *score[:, 0], 1])


def test_unknown_points_teach_nothing_about_presence():
    score = np.concatenate([np.full((10, 1), 0.2), np.full((10, 1), 0.8)])
    present = score > 0.5
    known = np.ones_like(present)
    known[:10] = False

    assert presence_thresholds(score, present, known) == [0.0]


def test_points_under_the_threshold_are_absent():
    learnt = calibrate(validation(80, absent=0.3))
    predicted = validation(1)[0][0]
    predicted.details["score"][0] = 0.05
    predicted.details["score"][1] = 0.99

    found = learnt.annotate(predicted, SPACING)

    assert found.status[:2].tolist() == [ABSENT, PRESENT]
    assert np.isnan(found.coordinates[0]).all()
    assert np.isfinite(found.details["error_p95"]).all()


def test_doubtful_and_implausible_points_are_flagged(learnt):
    predicted = validation(1, seed=7)[0][0]
    predicted.details["score"][2] = 0.01
    predicted.details["peak"][3] += 60

    found = learnt.annotate(predicted, SPACING)

    assert found.details["low_confidence"][2] == 1
    assert found.details["implausible"][3] == 1
    assert found.details["implausible"].sum() <= 2


def test_from_few_errors_no_radius_is_learnt():
    assert fit_radius(np.full((3, 6), 1.0), np.ones((3, 6)), np.ones((3, 6))) is None


def test_what_nobody_knows_does_not_disturb():
    cases = [
        (
            predicted,
            Points(NAMES, truth.coordinates, [UNKNOWN, *[PRESENT] * 5]),
            spacing,
        )
        for predicted, truth, spacing in validation(40)
    ]

    learnt = calibrate(cases)

    assert learnt.thresholds == (0.0,) * 6
    assert np.isfinite(learnt.radius.scale).all()
    assert learnt.shape is None  # of "tip" there is no place to learn


def test_it_is_json(learnt):
    assert from_json(Confidence, to_json(learnt), "here") == learnt
