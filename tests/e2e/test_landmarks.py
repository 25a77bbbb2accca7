"""Landmarks by the commands that a user types: predicted, written, scored, drawn."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from autoseg.cli.main import main
from autoseg.landmarks.confidence import learn
from autoseg.landmarks.evidence import Evidence
from autoseg.model.confidence import Learnt
from autoseg.outputs import JOURNAL
from autoseg.predict.predictor import Predictor
from autoseg.spec.choice import Choice
from tests.predict import toy_model

NAMES = ["tip", "root", "end"]
CASES = ["one", "two"]


@pytest.fixture
def root(tmp_path):
    """Return a root with a data set in one table, and a model that was validated."""
    raw = tmp_path / "raw" / "Toy"
    (raw / "imagesTr").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = ["case,landmark,x,y"]
    for case in CASES:
        picture = Image.fromarray(rng.integers(0, 255, (24, 20), dtype=np.uint8))
        picture.save(raw / "imagesTr" / f"{case}_0000.png")
        rows += [f"{case},{name},{4 + i},{5 + 3 * i}" for i, name in enumerate(NAMES)]
    (raw / "labelsTr.csv").write_text("\n".join(rows) + "\n")
    says = {"task": "landmark", "landmarks": NAMES, "spacing": [0.5, 0.5]}
    described = {"channel_names": {"0": "gray"}, "file_ending": ".png", **says}
    (raw / "dataset.json").write_text(json.dumps(described))
    options = {"landmarks": NAMES, "thresholds": dict.fromkeys(NAMES, 0.0)}
    plan = replace(
        toy_model.plan(2, patch=16, spacing=(0.5, 0.5)),
        task=Choice(name="landmark", options=options),
    )
    fold = toy_model.saved(tmp_path, plan, ending=".png", **says) / "fold_0"
    count = 20
    evidence = Evidence(
        names=tuple(NAMES),
        usual=(0.0,) * 3,
        cases=tuple(map(str, range(count))),
        score=((0.5, 0.6, 0.7),) * count,
        spread=((1.0, 1.0, 1.0),) * count,
        error=tuple(map(tuple, rng.uniform(1, 2, (count, 3)).tolist())),
        status=(("present",) * 3,) * count,
    )
    Learnt(confidence=learn(evidence), evidence=evidence).save(fold)
    return tmp_path


def predict(root, *words):
    images = root / "raw" / "Toy" / "imagesTr"
    model = root / "results" / "Toy" / "toy" / "net"
    given = ["-i", images, "-o", root / "out", "-m", model, *words]
    return main(["predict", "-device", "cpu", *map(str, given)])


def evaluate(root, *words):
    return main(["evaluate", "-np", "1", *map(str, words)])


def test_points_are_predicted_with_radii_and_scored_from_one_file(root, capsys):
    assert predict(root, "--point-files", "csv", "coco", "mrk.json") == 0

    out, raw = root / "out", root / "raw" / "Toy"
    assert {path.name for path in out.iterdir()} == {
        *("one.json", "two.json", "one.mrk.json", "two.mrk.json"),
        *("points.csv", "points.coco.json", JOURNAL),
    }
    tip = json.loads((out / "one.json").read_text())["points"]["tip"]
    assert tip["present"] is True and 0 < tip["error_p50_mm"] < tip["error_p95_mm"]
    found = []
    for given in (out, out / "points.csv", out / "points.coco.json"):
        folder = root / "scores" / given.name.split(".")[-1]
        assert evaluate(root, "-p", given, "-d", raw, "-o", folder) == 0
        summary = json.loads((folder / "summary.json").read_text())
        found.append(summary["points"]["all points"])
        assert (folder / "worst_cases.png").stat().st_size > 1000
        assert (folder / "landmarks.csv").is_file()
    assert found[0]["count"] == 6
    assert found[0]["mre"] == pytest.approx(found[1]["mre"], abs=1e-5)
    assert found[0]["mre"] == pytest.approx(found[2]["mre"], abs=1e-5)
    assert found[0]["covered_95"] == found[1]["covered_95"]
    assert "of errors within their 95 % radius" in capsys.readouterr().out
    # An annotation in a file of its own says the same.
    truth = root / "truth.csv"
    truth.write_text((raw / "labelsTr.csv").read_text())
    alone = root / "scores" / "alone"
    words = ["-p", out / "points.csv", "-g", truth, "-d", raw, "-o", alone]
    assert evaluate(root, *words) == 0
    summary = json.loads((alone / "summary.json").read_text())
    assert summary["points"]["all points"]["mre"] == pytest.approx(found[1]["mre"])


def test_a_decoder_can_be_chosen_for_once(root, capsys):
    assert predict(root, "--decoder", "argmax", "--disable_tta") == 0

    points = json.loads((root / "out" / "one.json").read_text())["points"]
    places = np.array([of["coordinates"] for of in points.values()])
    assert (places == places.round()).all()
    assert predict(root, "--decoder", "peak") == 2
    assert "there are log_quadratic, argmax" in capsys.readouterr().err


def test_python_predicts_and_saves_what_the_command_writes(root):
    predict(root)
    model = root / "results" / "Toy" / "toy" / "net"
    image = root / "raw" / "Toy" / "imagesTr" / "one_0000.png"

    found = Predictor.load(model, device="cpu").predict(image)
    found.save(root / "one.json")

    wanted = (root / "out" / "one.json").read_text()
    assert (root / "one.json").read_text() == wanted
