"""What scores of objects mean."""

import numpy as np
import pytest

from autoseg.errors import ModelError, PlanError
from autoseg.metrics.object_scores import (
    ScoreCurve,
    ScoreEvidence,
    fit,
    load_scores,
)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def objects(slope, offset, each=100):
    """Scores, and how often objects with them are right, by a curve."""
    logits = np.linspace(-3, 3, 40)
    hits = np.rint(each * sigmoid(slope * logits + offset)).astype(int)
    right = np.concatenate([np.arange(each) < n for n in hits])
    return np.repeat(sigmoid(logits), each), right


@pytest.mark.parametrize("slope, offset", [(0.5, -1.0), (2.0, 0.3), (1.0, 0.0)])
def test_a_curve_that_objects_follow_is_found(slope, offset):
    found = fit(*objects(slope, offset))

    assert found.slope == pytest.approx(slope, abs=0.03)
    assert found.offset == pytest.approx(offset, abs=0.03)


@pytest.mark.parametrize("turn", [1, -1])
def test_the_order_of_objects_stays_even_if_surer_ones_are_wrong(turn):
    scores, right = objects(1.0, 0.0, each=20)
    curve = fit(scores, right[::turn])

    many = np.concatenate([np.linspace(0.001, 0.999, 500), [0.99999, 0.9999999]])
    found = curve.chances(many)

    assert (np.diff(found) > 0).all() and 0 < found[0] and found[-1] < 1
    assert curve.chances(scores).mean() == pytest.approx(right.mean(), abs=0.01)


def test_few_objects_or_only_right_ones_say_nothing():
    assert fit(np.full(19, 0.7), np.arange(19) < 9) is None
    assert fit(np.full(50, 0.7), np.ones(50, bool)) is None
    assert fit(np.full(50, 0.7), np.arange(50) < 1) is None


def test_objects_keep_their_ids():
    found = ScoreCurve(slope=1.0, offset=0.0).applied({7: 0.25, 3: 0.5})

    assert found == pytest.approx({7: 0.25, 3: 0.5}) and list(found) == [7, 3]
    assert ScoreCurve(slope=1.0, offset=0.0).applied({}) == {}


def test_folds_speak_together_and_damage_is_told(tmp_path):
    scores, right = objects(0.5, -1.0, each=6)
    rows = np.stack([scores, right], 1)
    for number, part in enumerate((rows[::2], rows[1::2])):
        ScoreEvidence.of_cases([part]).save(tmp_path / f"fold_{number}")
    (tmp_path / "fold_2").mkdir()  # has learnt nothing

    found = load_scores(tmp_path, ["0", "1", "2"])
    whole = fit(np.round(scores, 4), right)

    assert (found.slope, found.offset) == pytest.approx((whole.slope, whole.offset))
    assert load_scores(tmp_path, ["2"]) is None
    file = tmp_path / "fold_1" / "scores.json"
    for text, why in (
        ('{"schema": 9}', "schema 9"),
        ('{"schema": 1, "cases": 1, "scores": [0.5], "right": []}', "1 scores and 0"),
        ('{"schema": 1, "cases": 1, "scores": [7], "right": [true]}', "from 0 to 1"),
    ):
        file.write_text(text)
        with pytest.raises(ModelError, match=f"scores.json.*{why}.*the network"):
            load_scores(tmp_path, ["0", "1"])


@pytest.mark.parametrize("slope", [0.0, -1.0, float("nan"), float("inf")])
def test_a_curve_that_turns_the_order_is_refused(slope):
    with pytest.raises(PlanError, match="slope"):
        ScoreCurve(slope=slope, offset=0.0)
