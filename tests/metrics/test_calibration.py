"""Temperatures: learnt by likelihood, put together, and applied."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, log_softmax, softmax

from autoseg.errors import ModelError, PlanError
from autoseg.metrics.calibration import (
    Calibration,
    Evidence,
    Reservoir,
    load_calibration,
    together,
)
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head

LOSS = Choice(name="dice_ce")
CLASSES = Head(name="classes", channels=3, activation="softmax", loss=LOSS)
REGIONS = Head(name="classes", channels=2, activation="sigmoid", loss=LOSS)


def drawn(seed, temperature, count=3000):
    """Return logits that are too large, and classes drawn by honest ones."""
    rng = np.random.default_rng(seed)
    honest = rng.normal(0, 1.5, (count, 3))
    truth = [rng.choice(3, p=p) for p in softmax(honest, axis=1)]
    return honest * temperature, np.array(truth), rng.uniform(1, 4, count)


def test_the_temperature_is_the_likeliest_one():
    logits, truth, weights = drawn(1, 2.5)

    found = Evidence.of_voxels(logits, truth, weights, CLASSES).calibration()

    def loss(t):
        return -weights @ log_softmax(logits / t, axis=1)[np.arange(len(truth)), truth]

    wanted = minimize_scalar(loss, bounds=(0.2, 8), method="bounded").x
    assert found.temperatures == {"classes": pytest.approx(wanted, rel=1e-3)}
    assert wanted == pytest.approx(2.5, rel=0.15)


def test_of_regions_only_what_is_known_has_a_say():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (2000, 2))
    truth = (rng.random((2000, 2)) < expit(logits / 1.6)).astype(float)
    blank = truth.copy()
    blank[:, 1] = np.nan
    weights = np.ones(2000)

    both = Evidence.of_voxels(logits, truth, weights, REGIONS)
    one = Evidence.of_voxels(logits, blank, weights, REGIONS)

    alone = logits[:, 0], truth[:, 0]
    wanted = minimize_scalar(
        lambda t: np.logaddexp(0, np.where(alone[1] > 0, -1, 1) * alone[0] / t).sum(),
        bounds=(0.2, 8), method="bounded",
    ).x  # fmt: skip
    assert one.calibration().temperatures["classes"] == pytest.approx(wanted, rel=1e-3)
    assert (one.voxels["classes"], both.voxels["classes"]) == (2000, 4000)


def test_several_say_together_what_all_of_their_voxels_say():
    parts = [drawn(seed, 1.8, 500) for seed in (3, 4)]
    each = [Evidence.of_voxels(*part, CLASSES) for part in parts]
    whole = Evidence.of_voxels(*map(np.concatenate, zip(*parts, strict=True)), CLASSES)

    both = together(each)

    assert both.calibration().temperatures == pytest.approx(
        whole.calibration().temperatures
    )
    assert both.without(each[0]).calibration().temperatures == pytest.approx(
        each[1].calibration().temperatures
    )
    assert (both.cases, both.without(each[0]).cases) == (2, 1)


def test_without_mistakes_nothing_is_learnt():
    logits = np.array([[9.0, 0, 0]] * 50)

    found = Evidence.of_voxels(logits, np.zeros(50, int), np.ones(50), CLASSES)

    assert found.calibration() is None  # as sharp as one likes would be likeliest
    assert found.text() == ""


@pytest.mark.parametrize("head", [CLASSES, REGIONS], ids=lambda head: head.activation)
def test_outputs_are_those_of_divided_logits_and_labels_stay(head):
    activate = {"softmax": lambda z: softmax(z, axis=0), "sigmoid": expit}
    activate = activate[head.activation]
    logits = np.random.default_rng(5).normal(0, 3, (head.channels, 4, 5, 6))
    outputs = activate(logits).astype(np.float32)

    found = Calibration(temperatures={"classes": 2.0}).soften(outputs, [head])

    np.testing.assert_allclose(found, activate(logits / 2), atol=1e-5)
    softly = head.activation == "softmax"
    decide = (lambda a: a.argmax(axis=0)) if softly else (lambda a: a > 0.5)
    assert (decide(found) == decide(outputs)).all()


def test_other_heads_and_certain_voxels_stay_as_they_are():
    outputs = np.array([[1.0, 0.25], [0.0, 0.75], [0.0, 0.0]], np.float32)

    same = Calibration(temperatures={"other": 3.0}).soften(outputs, [CLASSES])
    found = Calibration(temperatures={"classes": 0.5}).soften(outputs, [CLASSES])

    assert (same == outputs).all()
    # 1/16 and 9/16 of their sum 10/16.
    np.testing.assert_allclose(found, [[1, 0.1], [0, 0.9], [0, 0]], atol=1e-6)


def test_folds_speak_together_and_damage_is_told(tmp_path):
    parts = [drawn(seed, 1.5, 400) for seed in (6, 7)]
    each = [Evidence.of_voxels(*part, CLASSES) for part in parts]
    for number, one in enumerate(each):
        (tmp_path / f"fold_{number}").mkdir()
        one.save(tmp_path / f"fold_{number}")
    (tmp_path / "fold_2").mkdir()  # of a version that learnt nothing

    found = load_calibration(tmp_path, ["0", "1", "2"])

    assert found.temperatures == pytest.approx(
        together(each).calibration().temperatures
    )
    assert load_calibration(tmp_path, ["2"]) is None
    (tmp_path / "fold_0" / "calibration.json").write_text('{"cases": "many"}')
    with pytest.raises(ModelError, match="calibration.json"):
        load_calibration(tmp_path, ["0"])


@pytest.mark.parametrize("value", [0.0, -1.0, 50.0, float("nan")])
def test_a_temperature_that_makes_no_sense_is_refused(value):
    with pytest.raises(PlanError, match="temperature of classes"):
        Calibration(temperatures={"classes": value})


def test_a_reservoir_keeps_each_with_the_same_chance():
    hits = np.zeros(100)
    for seed in range(300):
        kept = Reservoir(10, np.random.default_rng(seed))
        for start in range(0, 100, 7):
            kept.put(np.arange(start, min(start + 7, 100)))
        rows, weights = kept.rows()
        assert len(set(rows.tolist())) == 10 and (weights == 10).all()
        hits[rows] += 1

    # 300 draws of a tenth: 30 with a standard deviation of 5.2.
    assert abs(hits.reshape(4, 25).mean(axis=1) - 30).max() < 4
