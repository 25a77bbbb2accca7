"""Decoding of instances is tuned on all folds together and goes into the bundle."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from autoseg.evaluate.stage import evaluate
from autoseg.find_best.stage import find_best
from autoseg.fingerprint.stage import fingerprint
from autoseg.model.load import load_model
from autoseg.predict.predictor import Predictor
from autoseg.tasks import TASKS
from autoseg.workspace import Workspace
from tests.predict import toy_model
from tests.train import cells

FOLDS = 3
CASES = [f"c{number}" for number in range(6)]


@pytest.fixture
def space(tmp_path):
    """Six pictures in three folds, measured; nothing is trained."""
    annotations = {case: cells.pair()[0] for case in CASES}
    folder = cells.write_dataset(tmp_path / "raw" / "Cells", annotations)
    space = Workspace(root=tmp_path, dataset="Cells")
    fingerprint(folder, tmp_path)
    held_back = [CASES[fold::FOLDS] for fold in range(FOLDS)]
    splits = [{"train": sorted(set(CASES) - set(h)), "val": h} for h in held_back]
    space.splits.write_text(json.dumps(splits))
    return space


def say(space, core):
    """Pretend that folds were trained, and that this is how sure they are of a core."""
    task = TASKS["instance"](**cells.TASK.options)
    of_plan = replace(toy_model.plan(2, unit="px"), task=cells.TASK)
    entries = {"ending": ".png", "labels": cells.LABELS, "task": "instance"}
    made = toy_model.saved(space.root / "made", of_plan, list("012"), **entries)
    shutil.move(made, space.model("toy", "net"))
    labels, weak = cells.pair()
    for fold in range(FOLDS):
        folder = space.fold("toy", "net", fold) / "validation"
        folder.mkdir()
        for case in CASES[fold::FOLDS]:
            values = cells.outputs(labels, weak, core)
            place = space.kept_outputs("toy", "net")
            kept = cells.keep(place, task, case, values)
            decoded, _ = kept.decode(case, task)
            written = Image.fromarray(task.write(decoded))
            written.save(folder / f"{case}.png")
        evaluate(folder, dataset=space.root / "raw" / "Cells", cases=CASES[fold::FOLDS])


def test_what_parts_touching_cells_on_all_folds_is_in_the_bundle(space):
    say(space, core=0.55)  # over the default of 0.5: both cells are one

    path, found = find_best("Cells", space.root, device="cpu")

    (step,) = found.steps
    assert (step.name, step.value, step.kept) == ("decoding", "core 0.6", True)
    assert step.gain.mean == 1.0 and found.models[0].mean == 0.0
    assert found.final.mean == 1.0
    assert found.decoding.parts[0].cases == ("c0", "c3")
    predictor = Predictor(load_model(path))
    assert predictor.model.folds == ("0", "1", "2")
    assert predictor.task.representation.core == 0.6
    assert "core 0.6" in found.text() and "mean AP" in found.text()
    written = json.loads(path.with_suffix(".json").read_text())
    assert written["decoding"]["best"]["core"] == 0.6


def test_without_a_gain_the_plan_stays_as_it_is(space):
    say(space, core=0.3)  # the cells are apart already

    path, found = find_best("Cells", space.root, device="cpu")

    (step,) = found.steps
    assert (step.value, step.kept, step.gain.mean) == ("none", False, 0.0)
    assert not found.postprocessing.task
    assert Predictor(load_model(path)).task.representation.core == 0.5


def test_tuning_can_be_left_out(space):
    say(space, core=0.55)
    shutil.rmtree(space.kept_outputs("toy", "net"))

    path, found = find_best("Cells", space.root, postprocessing=False, device="cpu")

    assert found.steps == () and found.decoding is None
    assert Predictor(load_model(path)).task.representation.core == 0.5


def test_outputs_that_are_missing_are_predicted(space):
    say(space, core=0.55)
    place = space.kept_outputs("toy", "net")
    shutil.rmtree(place)

    _, found = find_best("Cells", space.root, device="cpu")

    kept = sorted(path.name for path in place.glob("*.b2nd"))
    assert kept == [f"{case}_outputs.b2nd" for case in CASES]
    assert np.isfinite(found.final.mean)
