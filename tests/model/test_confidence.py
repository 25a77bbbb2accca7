"""Confidence beside folds: kept, pooled, put into bundles, used in prediction."""

import json
from dataclasses import replace

import numpy as np
import pytest

from autoseg.errors import ModelError
from autoseg.landmarks.confidence import learn
from autoseg.landmarks.evidence import Evidence
from autoseg.model.bundle import read_bundle, write_bundle
from autoseg.model.confidence import Learnt, judged, load_confidence, pool
from autoseg.model.load import load_model
from autoseg.preprocess.points import lengths_in_plan_order
from autoseg.spec.image import Geometry
from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.workspace import CONFIDENCE
from tests.predict import toy_model as toy

NAMES = ("tip", "root")


def evidence(count, error, seed=0, usual=(0.0, 0.5)):
    """Return cases with errors about a length, the second landmark absent in half."""
    rng = np.random.default_rng(seed)
    there = np.arange(count) % 2 == 0
    errors = rng.uniform(0.5, 1.5, (count, 2)) * error
    score = np.stack([np.full(count, 0.9), np.where(there, 0.8, 0.3)], 1)
    return Evidence(
        names=NAMES,
        usual=usual,
        cases=tuple(f"{seed}_{i}" for i in range(count)),
        score=tuple(map(tuple, score.tolist())),
        spread=((1.0, 1.0),) * count,
        error=tuple(
            (a, b if t else None) for (a, b), t in zip(errors, there, strict=True)
        ),
        status=tuple(("present", "present" if t else "absent") for t in there),
    )


def learnt(*args, **kwargs):
    found = evidence(*args, **kwargs)
    return Learnt(confidence=learn(found), evidence=found)


@pytest.fixture
def model(tmp_path):
    """Return the folder of a model with two folds, each validated."""
    folder = toy.saved(tmp_path, toy.plan(patch=16), folds=("0", "1"))
    learnt(40, 1.0, seed=0).save(folder / "fold_0")
    learnt(40, 3.0, seed=1).save(folder / "fold_1")
    return folder


def test_a_fold_alone_has_what_it_learnt_and_several_learn_from_all_cases(model):
    one, other = (load_confidence(model, [fold]) for fold in "01")
    both = load_confidence(model, ["0", "1"])

    assert (one.cases, other.cases, both.cases) == (40, 40, 80)
    assert one.thresholds == pytest.approx((0.0, 0.55))  # halfway from 0.3 to 0.8

    def expected(confidence):
        return confidence.radius.expected(np.ones(2), np.array([0.9, 0.8])).mean()

    # of errors about 1 and about 3
    assert expected(one) == pytest.approx(1, rel=0.15)
    assert expected(other) == pytest.approx(3, rel=0.15)
    assert expected(both) == pytest.approx(2, rel=0.15)


def test_a_model_of_final_weights_knows_it_and_of_others_not(model):
    assert load_model(model).confidence.cases == 80
    assert load_model(model, folds=["1"]).confidence.cases == 40
    for fold in "01":
        file = model / f"fold_{fold}" / "checkpoint_final.pt"
        file.with_name("checkpoint_best.pt").write_bytes(file.read_bytes())
    assert load_model(model, checkpoint="best").confidence is None


def test_without_any_validation_there_is_none(model):
    for fold in "01":
        (model / f"fold_{fold}" / CONFIDENCE).unlink()

    assert load_confidence(model, ["0", "1"]) is None


def test_a_damaged_file_is_named(model):
    (model / "fold_1" / CONFIDENCE).write_text("{")

    with pytest.raises(ModelError, match=f"fold_1/{CONFIDENCE}"):
        load_confidence(model, ["0", "1"])


def test_folds_of_other_landmarks_are_not_mixed(model):
    learnt(40, 1.0, usual=(0.5, 0.5)).save(model / "fold_1")

    with pytest.raises(ModelError, match="other thresholds"):
        load_confidence(model, ["0", "1"])


def test_a_bundle_keeps_what_the_folds_learnt(model, tmp_path):
    loaded = load_model(model)

    path = write_bundle(loaded, tmp_path / "model.zip")

    assert read_bundle(path).confidence == loaded.confidence
    plain = write_bundle(replace(loaded, confidence=None), tmp_path / "plain.zip")
    assert read_bundle(plain).confidence is None


def test_predicted_points_get_status_and_radii():
    confidence = pool([learnt(40, 2.0)])[0]
    peaks = np.array([[1.0, 2.0], [3.0, 4.0]])
    details = {
        "score": np.array([0.2, 0.5]),
        "covariance": np.tile(np.eye(2) / 2, (2, 1, 1)),
        "peak": peaks,
    }
    points = Points(NAMES, peaks, [PRESENT, PRESENT], details)
    geometry = Geometry(shape=(9, 8), spacing=(1.0, 1.0))

    found = judged(points, geometry, toy.plan(2), confidence)

    # The first is never absent, however low its score; the second needs 0.55.
    assert found.status.tolist() == [PRESENT, ABSENT]
    assert found.coordinates[0].tolist() == [1.0, 2.0]
    assert (found.details["error_p50"] < found.details["error_p95"]).all()
    assert judged(points, geometry, toy.plan(2), None) is points


def test_lengths_are_along_the_plans_axes_whatever_way_the_image_lies():
    plan = replace(toy.plan(), orientation="LPS", transpose=(2, 0, 1))
    places = np.array([[1.0, 2.0, 3.0], [4.0, 6.0, 8.0]])
    spacing = (3.0, 0.5, 2.0)
    straight = Geometry(shape=(9, 8, 7), spacing=spacing)
    # The same image with x from right to left: index 6 - x.
    flipped = Geometry(
        shape=(9, 8, 7),
        spacing=spacing,
        origin=(12.0, 0.0, 0.0),
        direction=(-1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0),
    )
    mirrored = places * (1, 1, -1) + (0, 0, 6)

    one = lengths_in_plan_order(places, straight, plan)
    other = lengths_in_plan_order(mirrored, flipped, plan)

    # x, z, y; (8 - 3) * 2, (4 - 1) * 3, (6 - 2) * 0.5
    assert (one[1] - one[0]).tolist() == [10.0, 9.0, 2.0]
    np.testing.assert_allclose(other[1] - other[0], one[1] - one[0])


def test_the_file_is_json_that_says_what_it_is(model):
    raw = json.loads((model / "fold_0" / CONFIDENCE).read_text())

    assert raw["schema"] == 1
    assert raw["confidence"]["names"] == ["tip", "root"]
    assert len(raw["evidence"]["score"]) == 40
