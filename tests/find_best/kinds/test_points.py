"""One model of several folds of landmarks: ranked by points, with what all taught."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from autoseg.datasets.points import write_points
from autoseg.errors import UsageError
from autoseg.evaluate.stage import evaluate
from autoseg.find_best.stage import find_best
from autoseg.find_best.table import goodness
from autoseg.fingerprint.stage import fingerprint
from autoseg.landmarks.confidence import learn
from autoseg.landmarks.evidence import Evidence
from autoseg.model.confidence import Learnt
from autoseg.model.load import load_model
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.spec.choice import Choice
from autoseg.spec.image import Geometry
from autoseg.spec.image import Image as Volume
from autoseg.spec.points import PRESENT, Points
from autoseg.workspace import Workspace
from tests.predict import toy_model

NAMES = ("tip", "root", "end")
CASES = [f"c{i:02}" for i in range(30)]
FOLDS = 3
GEOMETRY = Geometry(shape=(64, 48), spacing=(0.5, 0.5))


def truth(case):
    rng = np.random.default_rng(int(case[1:]))
    places = np.array([[10.0, 10.0], [30.0, 20.0], [50.0, 40.0]])
    return Points(NAMES, places + rng.normal(0, 2, (3, 2)), [PRESENT] * 3)


def found(case, off, turn=0.0):
    rng = np.random.default_rng(int(case[1:]) + 500)
    angle = rng.uniform(0, 6.28, 3) + turn
    peak = truth(case).coordinates + off * np.stack([np.sin(angle), np.cos(angle)], 1)
    details = {
        "score": rng.uniform(0.7, 0.9, 3),
        "covariance": np.tile(np.eye(2), (3, 1, 1)),
        "peak": peak,
    }
    return Points(NAMES, peak, [PRESENT] * 3, details)


@pytest.fixture
def space(tmp_path):
    raw = tmp_path / "raw" / "Toy"
    for folder in ("imagesTr", "labelsTr"):
        (raw / folder).mkdir(parents=True)
    says = {
        "task": "landmark",
        "channel_names": {"0": "x"},
        "landmarks": NAMES,
        "spacing": GEOMETRY.spacing,
        "file_ending": ".png",
        "label_ending": ".json",
    }
    (raw / "dataset.json").write_text(json.dumps(says))
    for i, case in enumerate(CASES):
        picture = Image.fromarray(np.full(GEOMETRY.shape, i, np.uint8))
        picture.save(raw / "imagesTr" / f"{case}_0000.png")
        write_points(raw / "labelsTr" / f"{case}.json", truth(case), GEOMETRY)
    space = Workspace(root=tmp_path, dataset="Toy")
    fingerprint(raw, tmp_path)
    held_back = [CASES[fold::FOLDS] for fold in range(FOLDS)]
    splits = [{"train": sorted(set(CASES) - set(h)), "val": h} for h in held_back]
    space.splits.write_text(json.dumps(splits))
    return space


def say(space, configuration, off, turn=0.0):
    """Pretend that folds were trained and are off by so many voxels."""
    plan = toy_model.plan(2, patch=16, spacing=(0.5, 0.5))
    options = {"landmarks": list(NAMES), "thresholds": dict.fromkeys(NAMES, 0.0)}
    plan = replace(
        plan,
        task=Choice(name="landmark", options=options),
        configurations={configuration: plan.configurations["net"]},
    )
    toy_model.saved(
        space.root / "made" / configuration,
        plan,
        folds=[str(fold) for fold in range(FOLDS)],
        configuration=configuration,
    )
    made = space.root / "made" / configuration / "results" / "Toy" / "toy"
    shutil.move(made / configuration, space.model("toy", configuration))
    for fold in range(FOLDS):
        folder = space.fold("toy", configuration, fold) / "validation"
        folder.mkdir()
        cases = CASES[fold::FOLDS]
        rows = []
        for case in cases:
            points = found(case, off, turn)
            write_points(folder / f"{case}.json", points, GEOMETRY)
            rows.append((case, points, truth(case), GEOMETRY.spacing))
        evaluate(folder, dataset=space.root / "raw" / "Toy", cases=cases)
        evidence = Evidence.of(rows, [0.0] * 3)
        Learnt(confidence=learn(evidence), evidence=evidence).save(folder.parent)


@pytest.mark.parametrize("by", [None, "sdr_2mm"])
def test_the_bundle_has_the_best_and_what_all_its_folds_learnt(space, by):
    say(space, "good", 2.0)
    say(space, "poor", 6.0)

    path, selection = find_best("Toy", space.root, by=by, device="cpu")

    assert selection.chosen == "toy / good"
    if by is None:
        assert selection.by == "mre"
        assert selection.final.mean == pytest.approx(1.0)  # 2 voxels of 0.5 mm
    else:
        assert selection.by == "sdr_2" and selection.final.mean == 1.0
    assert "error p95 [mm]" in selection.text()
    assert "Learnt from 30 cases" in selection.text()
    model = load_model(path)
    assert model.folds == ("0", "1", "2")
    assert model.confidence.cases == 30
    radius = model.confidence.radius
    assert radius.expected(np.ones(3), np.full(3, 0.8)) == pytest.approx(1.0)


def test_models_that_err_to_opposite_sides_are_averaged(space):
    say(space, "up", 2.0)
    say(space, "down", 2.2, turn=np.pi)

    path, selection = find_best("Toy", space.root, device="cpu")

    assert selection.chosen == "toy / down + toy / up"
    # Equally sure, 2 and 2.2 voxels off to opposite sides: 0.1 voxels of 0.5 mm.
    assert selection.final.mean == pytest.approx(0.05, abs=1e-6)
    assert selection.models[-1].gain.is_sure
    model = load_model(path)
    assert [one.configuration for one in model.partners] == ["up"]
    learnt = model.confidence  # of the average, not of one of the two
    assert learnt.cases == 30
    assert learnt.radius.p50 * learnt.radius.expected(
        np.full(3, 3.0), np.full(3, 0.8)
    ).max() == pytest.approx(0.05, abs=0.01)
    assert "toy / down + toy / up" in selection.text()


def test_a_bundle_of_two_predicts_the_mean_of_both(space):
    say(space, "up", 2.0)
    say(space, "down", 2.2, turn=np.pi)
    path, _ = find_best("Toy", space.root, device="cpu")
    image = np.random.default_rng(0).normal(size=(1, *GEOMETRY.shape))
    image = Volume(array=image.astype(np.float32), geometry=GEOMETRY)

    options = Options(device="cpu", mirror=False, step_size=1.0)
    both = Predictor(load_model(path), options)
    said = [
        Predictor(replace(one, partners=(), confidence=None), both.options)
        for one in (both.model, *both.model.partners)
    ]
    first, second = [one.predict_image(image) for one in said]
    points = both.predict_image(image)

    shares = np.stack([first.details["score"], second.details["score"]])
    places = np.stack([first.details["peak"], second.details["peak"]])
    mean = (shares[..., None] * places).sum(0) / shares.sum(0)[:, None]
    np.testing.assert_allclose(points.details["peak"], mean, atol=1e-4)
    np.testing.assert_allclose(points.details["score"], shares.mean(0), atol=1e-6)
    assert "error_p95" in points.details


def test_a_measure_that_nobody_knows_is_told_with_those_that_are(space):
    say(space, "good", 2.0)

    with pytest.raises(UsageError, match="'sdr_7'.*mre.*sdr_2"):
        find_best("Toy", space.root, by="sdr_7", device="cpu")


@pytest.mark.parametrize(
    ("scores", "by", "expected"),
    [
        ({"mre": 2.0, "tp": 1, "fp": 0, "fn": 0}, "mre", -2.0),
        ({"mre": np.nan, "tp": 0, "fp": 0, "fn": 1}, "mre", -50.0),  # missed
        ({"mre": np.nan, "tp": 0, "fp": 1, "fn": 0}, "mre", -50.0),  # made up
        ({"mre": np.nan, "tp": 0, "fp": 0, "fn": 0}, "mre", 0.0),  # rightly absent
        ({"mre": np.nan, "sdr_2": np.nan, "tp": 0, "fp": 1, "fn": 0}, "sdr_2", 0.0),
        ({"mre": np.nan, "sdr_2": np.nan, "tp": 0, "fp": 0, "fn": 0}, "sdr_2", 1.0),
    ],
)
def test_every_landmark_counts(scores, by, expected):
    assert goodness(scores, by, worst=50.0) == expected


def test_what_nobody_knows_counts_for_nothing():
    unknown = dict.fromkeys(("mre", "tp", "fp", "fn"), np.nan)

    assert np.isnan(goodness(unknown, "mre", worst=50.0))
