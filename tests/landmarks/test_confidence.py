import numpy as np
import pytest

from autoseg.landmarks.confidence import (
    Confidence,
    confidence_table,
    learn,
    learn_apart,
)
from autoseg.landmarks.evidence import Evidence
from autoseg.landmarks.shape import fit_shapes
from autoseg.spec.json import from_json, to_json
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points
from tests.landmarks.toy_validation import ALWAYS, NAMES, SPACING, validation


def lengths(points):
    return points.details["peak"] * SPACING


def shapes_of(cases):
    return np.stack([truth.coordinates * SPACING for _, _, truth, _ in cases])


def errors_of(predicted, reference):
    apart = (predicted.coordinates - reference.coordinates) * SPACING
    return np.linalg.norm(apart, axis=1)


def taught(cases, usual=ALWAYS):
    return learn(Evidence.of(cases, usual), fit_shapes(shapes_of(cases)))


@pytest.fixture(scope="module")
def learnt():
    return taught(validation(80))


def coverage(cases, judge):
    inside = {50: [], 95: []}
    for name, predicted, reference, _ in cases:
        found = judge(name).annotate(predicted, lengths(predicted))
        for level, hits in inside.items():
            hits.extend(errors_of(found, reference) <= found.details[f"error_p{level}"])
    return {level: np.mean(hits) for level, hits in inside.items()}


def test_the_expected_radii_cover_what_they_say_on_new_cases(learnt):
    inside = coverage(validation(200, seed=1), lambda name: learnt)

    assert inside[50] == pytest.approx(0.5, abs=0.06)
    assert inside[95] == pytest.approx(0.95, abs=0.025)


def test_each_case_is_judged_by_what_others_taught():
    cases = validation(40)
    # Of one case the truth is elsewhere; had it a say, its own radius would show that.
    name, predicted, reference, _ = cases[7]
    far = Points(NAMES, reference.coordinates + 400, reference.status)
    changed = [*cases[:7], (name, predicted, far, SPACING), *cases[8:]]

    before = learn_apart(Evidence.of(cases, ALWAYS))
    after = learn_apart(Evidence.of(changed, ALWAYS))

    assert list(sorted(before)) == sorted(case for case, *_ in cases)
    assert after[name] == before[name]
    assert after["case_8"] != before["case_8"]
    assert before["case_8"].cases == 32  # four fifths of 40


def test_a_single_case_learns_nothing_from_others():
    assert learn_apart(Evidence.of(validation(1), ALWAYS)) == {}


def test_larger_spread_means_larger_radii(learnt):
    narrow, wide = learnt.radius.expected(np.array([[0.8] * 6, [4.0] * 6]), np.ones(6))

    assert (wide > 2 * narrow).all()


def test_points_under_the_threshold_are_absent():
    learnt = taught(validation(80, absent=0.3), (0.5,) * 6)
    predicted = validation(1)[0][1]
    predicted.details["score"][0] = 0.05
    predicted.details["score"][1] = 0.99

    found = learnt.annotate(predicted, lengths(predicted))

    assert found.status[:2].tolist() == [ABSENT, PRESENT]
    assert np.isnan(found.coordinates[0]).all()
    assert np.isfinite(found.details["error_p95"]).all()
    assert np.isnan(found.details["plausible"][0])


def test_annotating_again_changes_nothing(learnt):
    predicted = validation(1, seed=3)[0][1]

    once = learnt.annotate(predicted, lengths(predicted))
    twice = learnt.annotate(once, lengths(once))

    np.testing.assert_array_equal(once.coordinates, twice.coordinates)
    for key, values in once.details.items():
        np.testing.assert_array_equal(values, twice.details[key])


def test_doubtful_and_implausible_points_are_flagged(learnt):
    predicted = validation(1, seed=7)[0][1]
    predicted.details["score"][2] = 0.01
    predicted.details["peak"][3] += 60

    found = learnt.annotate(predicted, lengths(predicted))

    assert found.details["low_confidence"][2] == 1
    assert found.details["plausible"][3] == 0
    assert found.details["plausible"].sum() >= 4


def test_what_nobody_knows_does_not_disturb():
    cases = [
        (
            name,
            predicted,
            Points(NAMES, truth.coordinates, [UNKNOWN, *[PRESENT] * 5]),
            spacing,
        )
        for name, predicted, truth, spacing in validation(40)
    ]

    learnt = taught(cases)

    assert learnt.thresholds == ALWAYS
    assert np.isfinite(learnt.radius.scale).all()
    assert learnt.shape is None  # of "tip" there is no place to learn


def test_the_table_has_a_line_for_each_landmark():
    evidence = Evidence.of(validation(40, absent=0.3), (0.0, *(0.5,) * 5))

    lines = confidence_table(learn(evidence), evidence, "mm").splitlines()

    assert "error p95 [mm]" in lines[0]
    assert [line.split()[0] for line in lines[1:7]] == list(NAMES)
    assert lines[1].split()[1] == "always"
    assert all(0 < float(line.split()[1]) < 1 for line in lines[2:7])
    assert all(float(v) > 0 for line in lines[1:7] for v in line.split()[2:])
    assert "Learnt from 40 cases." in lines[7]


def test_it_is_json(learnt):
    assert from_json(Confidence, to_json(learnt), "here") == learnt


def test_without_validation_thresholds_are_the_usual_ones_and_nothing_is_doubtful():
    found = learn(Evidence.none(("a", "b"), (0.5, 0.0)))

    assert (found.thresholds, found.cases, found.radius) == ((0.5, 0.0), 0, None)
    details = {
        "score": np.array([0.9, 0.2]),
        "covariance": np.tile(np.eye(2), (2, 1, 1)),
        "peak": np.array([[1.0, 2.0], [3.0, 4.0]]),
    }
    points = Points(("a", "b"), details["peak"], np.array([1, 1]), details, (9, 9))
    assert "low_confidence" not in found.annotate(points, details["peak"]).details
