import numpy as np
import pytest

from autoseg.errors import PlanError
from autoseg.landmarks.evidence import Evidence, pooled, spread_of
from autoseg.spec.json import from_json, to_json
from autoseg.spec.points import ABSENT, PRESENT, UNKNOWN, Points
from tests.landmarks.toy_validation import ALWAYS, validation


def test_folds_learn_together_what_one_would_from_all_cases():
    cases = validation(30)
    parts = [Evidence.of(cases[:12], ALWAYS), Evidence.of(cases[12:], ALWAYS)]

    assert pooled(parts) == Evidence.of(cases, ALWAYS)


def test_folds_of_other_landmarks_cannot_learn_together():
    one = Evidence.of(validation(2), ALWAYS)
    other = Evidence.of(validation(2), (0.5,) * 6)

    with pytest.raises(PlanError, match="other thresholds"):
        pooled([one, other])


def test_evidence_is_what_was_said_and_what_is_true():
    reference = Points(
        ("tip", "root", "end"),
        np.array([[3.0, 4.0], [np.nan, np.nan], [np.nan, np.nan]]),
        np.array([PRESENT, ABSENT, UNKNOWN]),
    )
    details = {
        "score": np.array([0.25, 0.5, 0.75]),
        "covariance": np.tile(np.diag([9.0, 16.0]), (3, 1, 1)),
        "peak": np.array([[1.0, 2.0], [5.0, 5.0], [6.0, 6.0]]),
    }
    predicted = Points(reference.names, details["peak"], [ABSENT] * 3, details)

    found = Evidence.of([("a", predicted, reference, (2.0, 1.5))], (0.0, 0.5, 0.5))

    assert found.score == ((0.25, 0.5, 0.75),)
    assert found.spread == ((5.0, 5.0, 5.0),)
    # (3 - 1) * 2 and (4 - 2) * 1.5, also where the point was said to be absent
    assert found.error == ((5.0, None, None),)
    assert found.status == (("present", "absent", "unknown"),)


def test_evidence_with_a_row_missing_is_an_error():
    raw = to_json(Evidence.of(validation(3), ALWAYS))
    raw["score"] = raw["score"][:2]

    with pytest.raises(PlanError, match="a row for each of 3 cases"):
        from_json(Evidence, raw, "here")


def test_spread_is_one_length_for_each_covariance():
    found = spread_of(np.array([[[4.0, 0.5], [0.5, 0.5]]]))

    assert found.tolist() == [pytest.approx(4.5**0.5)]


def test_evidence_comes_back_from_json():
    evidence = Evidence.of(validation(3, absent=0.3), ALWAYS)

    assert from_json(Evidence, to_json(evidence), "here") == evidence
