"""From cross-validations to a bundle, on outputs whose faults are known."""

import json
import shutil

import blosc2
import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.evaluate.stage import evaluate
from autoseg.find_best.outputs import ensure_outputs
from autoseg.find_best.stage import find_best
from autoseg.fingerprint.stage import fingerprint
from autoseg.model.load import load_model
from autoseg.model.postprocessing import Rule
from autoseg.workspace import Workspace
from tests import toy
from tests.predict import toy_model

FOLDS = 3
CASES = [f"case_{number:02d}" for number in range(6)]


@pytest.fixture
def space(tmp_path):
    """Six cases in three folds, measured; nothing is trained."""
    folder = toy.volumes(tmp_path / "raw" / "Toy", cases=len(CASES), test=0)
    space = Workspace(root=tmp_path, dataset="Toy")
    fingerprint(folder, tmp_path)
    held_back = [CASES[fold::FOLDS] for fold in range(FOLDS)]
    splits = [{"train": sorted(set(CASES) - set(h)), "val": h} for h in held_back]
    space.splits.write_text(json.dumps(splits))
    return space


def say(space, configuration, outputs_of, plan="toy", folds=range(FOLDS)):
    """Pretend that folds were trained, validated and said this of their cases."""
    of_plan = toy_model.plan(patch=8, spacing=toy.SPACING)
    settings = of_plan.configurations.pop("net")
    of_plan.configurations[configuration] = settings
    toy_model.saved(
        space.root / "made" / configuration,
        of_plan,
        folds=[str(fold) for fold in folds],
        configuration=configuration,
    )
    made = space.root / "made" / configuration / "results" / "Toy" / "toy"
    shutil.move(made / configuration, space.model(plan, configuration))
    place = space.kept_outputs(plan, configuration)
    place.mkdir(parents=True)
    for fold in folds:
        folder = space.fold(plan, configuration, fold) / "validation"
        for case in CASES[fold::FOLDS]:
            truth = toy.labels_of(CASES.index(case))
            outputs = np.rint(255 * outputs_of(truth)).astype(np.uint8)
            blosc2.asarray(outputs, urlpath=str(place / f"{case}_probabilities.b2nd"))
            labels = outputs.argmax(axis=0).astype(np.uint8)
            toy.write_nifti(folder / f"{case}.nii.gz", labels)
        evaluate(folder, dataset=space.root / "raw" / "Toy", cases=CASES[fold::FOLDS])


def sure(labels, share=0.9):
    """Return outputs that give so much to a label and the rest to the others."""
    return np.stack([np.where(labels == k, share, (1 - share) / 2) for k in range(3)])


def with_speck(truth):
    labels = truth.copy()
    labels[0, 0, 0] = 1  # far from class one
    return sure(labels)


def doubtful(side):
    """Return a function that takes one side's foreground for background, barely."""

    def outputs(truth):
        found = sure(truth)
        half = np.zeros(truth.shape, bool)
        middle = truth.shape[1] // 2
        half[:, :middle] = side == 0
        half[:, middle:] = side == 1
        wrong = half & (truth > 0)
        found[0][wrong] = 0.5
        for label in (1, 2):
            found[label][wrong & (truth == label)] = 0.45
            found[3 - label][wrong & (truth == label)] = 0.05
        return found

    return outputs


def test_the_best_configuration_and_what_gains_go_into_one_bundle(space):
    say(space, "good", with_speck)
    say(space, "poor", lambda truth: sure(np.roll(truth, 2, axis=2)))

    path, found = find_best("Toy", space.root, device="cpu")

    assert found.chosen == "toy / good"
    assert found.postprocessing.classes.keys() == {"one"}
    rule = found.postprocessing.classes["one"]
    assert rule.largest_component or rule.minimum_size > 0
    assert found.final.mean == 1.0  # without the speck nothing is wrong
    model = load_model(path)
    assert model.folds == ("0", "1", "2")
    assert model.postprocessing == found.postprocessing and not model.partners
    assert json.loads(path.with_suffix(".json").read_text())["chosen"] == "toy / good"
    assert "toy / poor" in found.text()


def test_models_that_err_in_different_places_are_averaged(space):
    say(space, "left", doubtful(0))
    say(space, "right", doubtful(1))

    path, found = find_best("Toy", space.root, by="nsd", device="cpu")

    assert found.chosen == "toy / left + toy / right"
    # Of the true label: 0.45 + 0.9 against 0.5 + 0.05.
    assert found.final.mean == 1.0
    assert found.models[-1].gain.low > 0
    assert [m.configuration for m in load_model(path).partners] == ["right"]


def test_a_threshold_is_found_and_its_gain_is_of_the_class(space):
    def timid(truth):
        found = sure(truth)
        found[0][truth == 2], found[2][truth == 2] = 0.55, 0.4  # 0.42 of both
        return found

    say(space, "timid", timid)

    _, found = find_best("Toy", space.root, device="cpu")

    assert found.postprocessing.classes == {"two": Rule(threshold=0.3)}
    step = next(s for s in found.steps if s.kept)
    assert (step.name, step.of, step.gain.mean) == ("threshold", "two", 1.0)


def test_a_dense_crf_is_chosen_where_the_image_knows_better(space):
    def spotted(truth):
        found = sure(truth)
        rng = np.random.default_rng(5)
        spots = (rng.random(truth.shape) < 0.2) & (truth > 0)
        found[0][spots] = 0.55  # 0.35 or less is left for the true label
        for label in (1, 2):
            found[label][spots & (truth == label)] = 0.35
        return found

    say(space, "net", spotted)

    path, found = find_best("Toy", space.root, crf=True, device="cpu")

    step = found.steps[0]
    assert (step.name, step.of, step.kept) == ("dense CRF", "all", True)
    assert found.final.mean > found.models[0].mean + 0.03
    assert load_model(path).postprocessing.crf == found.postprocessing.crf
    assert found.postprocessing.crf is not None


def test_by_distance_a_missed_class_is_not_left_out(space):
    say(space, "blind", lambda truth: sure(np.where(truth == 2, 0, truth)))
    say(space, "moved", lambda truth: sure(np.roll(truth, 1, axis=2)))

    _, found = find_best(
        "Toy", space.root, by="hd95", ensembles=False, postprocessing=False
    )

    # Where class two is found, `blind` is perfect; but it finds it nowhere.
    assert found.chosen == "toy / moved"


def test_a_configuration_that_lacks_folds_is_left_out_with_its_command(space):
    say(space, "done", sure)
    say(space, "begun", sure, folds=[0])

    _, found = find_best("Toy", space.root, device="cpu", ensembles=False)

    assert [one.name for one in found.models] == ["toy / done"]
    (line,) = found.left_out
    assert "lacks fold 1, 2" in line and "begun all-folds --plan toy" in line


def test_without_a_complete_cross_validation_it_says_how_to_get_one(space):
    say(space, "begun", sure, folds=[0])

    with pytest.raises(UsageError, match="begun all-folds"):
        find_best("Toy", space.root)


def test_an_unknown_measure_is_refused_with_those_that_there_are(space):
    say(space, "done", sure)

    with pytest.raises(UsageError, match="'beauty'.*dice"):
        find_best("Toy", space.root, by="beauty")


def test_folds_are_looked_for_once_however_much_is_compared(space, monkeypatch):
    say(space, "left", doubtful(0))
    say(space, "right", doubtful(1))
    asked = []

    def counted(candidate, *where):
        asked.append(candidate.name)
        return ensure_outputs(candidate, *where)

    monkeypatch.setattr("autoseg.find_best.search.ensure_outputs", counted)

    find_best("Toy", space.root, device="cpu")

    assert sorted(asked) == ["toy / left", "toy / right"]


def test_outputs_that_are_missing_are_predicted_by_the_fold_that_held_them_back(space):
    say(space, "net", sure)
    shutil.rmtree(space.kept_outputs("toy", "net"))

    find_best("Toy", space.root, device="cpu")

    kept = sorted(space.kept_outputs("toy", "net").glob("*.b2nd"))
    assert [path.name[:7] for path in kept] == CASES
    assert blosc2.open(str(kept[0])).shape == (3, *toy.SHAPE)
