"""Data that changed, and cases that came, after preprocessing and after training."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

import autoseg
from autoseg.cli.main import main
from autoseg.datasets.read import load_dataset
from autoseg.errors import DatasetError, TrainingError, UsageError
from autoseg.preprocess.extend import earlier_splits, extend_splits
from autoseg.preprocess.folds import load_splits
from autoseg.preprocess.store import CaseStore
from autoseg.report.page.trained import stale_folds
from autoseg.spec.plan import Plan
from autoseg.spec.run import Run
from autoseg.train.after.results import find_trained
from autoseg.train.folds import train_folds
from autoseg.train.setup.changed import changed_folds, tell_of_model
from autoseg.train.setup.job import check_other_folds, find_job
from autoseg.train.setup.options import Options
from autoseg.train.stage import train
from tests import toy

TINY = {
    "iterations": 2,
    "recipe": "fast",
    "precision": "fp32",
    "threads": 1,
    "workers": 0,
    "device": "cpu",
    "validation": False,
    "settings": {
        "train.iterations_per_epoch": 2,
        "train.validation_batches": 1,
        "train.augmentation": "none",
    },
}


def go(place, fold=0, **options):
    return train(place.dataset, "3d_fullres", fold, place.root, **{**TINY, **options})


def exchange_labels(place, case):
    """Correct an annotation: what was `one` is `two`."""
    labels = np.array([0, 2, 1], np.uint8)[toy.labels_of(case)]
    path = place.dataset / "labelsTr" / f"case_{case:02d}.nii.gz"
    toy.write_nifti(path, labels)
    return labels


def stored(place, case):
    plan = Plan.load(place.workspace.plan("unet"))
    store = CaseStore(place.workspace.data(plan.data_id("3d_fullres")))
    return store.open(f"case_{case:02d}")


def test_train_prepares_a_case_again_that_was_corrected(toy_root, caplog):
    labels = exchange_labels(toy_root, 1)
    other = stored(toy_root, 0).raw

    go(toy_root)

    np.testing.assert_array_equal(stored(toy_root, 1).annotation[:], labels)
    assert stored(toy_root, 0).raw == other
    assert "changed since they were preprocessed: case_01" in caplog.text


def test_the_record_of_a_training_has_the_content_of_its_cases(toy_root):
    run = Run.load(go(toy_root) / "run.json")

    contents = {f"case_{n:02d}": stored(toy_root, n) for n in range(5)}
    assert run.data == {c: s.properties["content"] for c, s in contents.items()}
    assert len(set(run.data.values())) == 5


def test_records_of_versions_before_are_read(toy_root):
    folder = go(toy_root)
    raw = json.loads((folder / "run.json").read_text())
    del raw["data"]
    (folder / "run.json").write_text(json.dumps(raw))
    exchange_labels(toy_root, 1)

    assert Run.load(folder / "run.json").data == {}
    assert go(toy_root) == folder


def test_a_fold_of_other_data_is_called_that_and_stays(toy_root, caplog):
    folder = go(toy_root)
    before = (folder / "checkpoint_final.pt").read_bytes()
    exchange_labels(toy_root, 3)

    go(toy_root)

    assert "fold 0: trained on data that changed since (1 case: case_03)" in (
        caplog.text
    )
    assert (folder / "checkpoint_final.pt").read_bytes() == before


def test_a_file_that_was_touched_only_is_no_other_data(toy_root, caplog):
    go(toy_root)
    for path in (toy_root.dataset / "labelsTr").iterdir():
        path.touch()

    go(toy_root)

    assert "changed" not in caplog.text


def test_a_stale_fold_is_trained_again_on_request_and_others_are_not(toy_root):
    folders = [go(toy_root, fold) for fold in (0, 1)]
    run = json.loads((folders[1] / "run.json").read_text())
    run["data"] = {}  # as if it knew of nothing
    (folders[1] / "run.json").write_text(json.dumps(run))
    before = [(f / "checkpoint_final.pt").stat().st_mtime_ns for f in folders]
    exchange_labels(toy_root, 3)

    for fold in (0, 1):
        go(toy_root, fold, retrain_changed=True)

    after = [(f / "checkpoint_final.pt").stat().st_mtime_ns for f in folders]
    assert after[0] != before[0] and after[1] == before[1]
    dataset = load_dataset(toy_root.dataset)
    assert not changed_folds(folders[0].parent, dataset, toy_root.workspace)


def test_a_training_does_not_go_on_with_other_data(toy_root):
    folder = go(toy_root)
    (folder / "checkpoint_final.pt").unlink()
    exchange_labels(toy_root, 3)

    with pytest.raises(TrainingError, match="case_03.*retrain-changed"):
        go(toy_root)


def test_whoever_uses_a_model_is_told_of_the_cases_that_changed(
    toy_root, tmp_path, capsys
):
    model = go(toy_root).parent
    given = tmp_path / "given"
    shutil.copytree(toy_root.dataset / "imagesTr", given)
    which = toy_root.dataset, "3d_fullres", "--root", toy_root.root
    images = given, "-o", tmp_path / "drafts", "--device", "cpu"
    commands = [
        ["export", "-m", model, "-o", tmp_path / "m.zip"],
        ["predict", *which, "-i", *images[:2], tmp_path / "out"],
        ["next", toy_root.dataset, *images, "--root", toy_root.root],
    ]
    exchange_labels(toy_root, 2)

    said = []
    for words in commands:
        assert main([*map(str, words)]) == 0
        said.append(capsys.readouterr().err)

    told = "3d_fullres, fold 0: trained on data that changed since (1 case: case_02)"
    assert [told in text for text in said] == [True] * 3
    best = toy_root.workspace.best
    best.parent.mkdir(parents=True)
    best.touch()
    assert (
        tell_of_model(best) == tell_of_model(model) and told in tell_of_model(best)[0]
    )
    (line,) = tell_of_model(model, most=0)  # bytes
    assert "(case_00, case_01, case_02, case_03, case_04) changed since" in line
    assert "was not looked at: the files are large" in line


def add_cases(place, *numbers):
    other = toy.volumes(place.root / "more" / "Toy", cases=max(numbers) + 1, test=0)
    for number in numbers:
        for part, name in (("images", "_0000"), ("labels", "")):
            file = f"{part}Tr/case_{number:02d}{name}.nii.gz"
            shutil.copy(other / file, place.dataset / file)
    shutil.rmtree(other)
    return load_dataset(place.dataset)


def test_new_cases_join_the_folds_and_nobody_changes_sides(toy_root):
    dataset = load_dataset(toy_root.dataset)
    before = load_splits(toy_root.workspace, dataset)
    dataset = add_cases(toy_root, 5, 6)

    extend_splits(toy_root.workspace, dataset, "folds")

    after = load_splits(toy_root.workspace, dataset)
    everything = {case.id for case in dataset.training}
    new = {"case_05", "case_06"}
    for (train_before, val_before), (train_now, val_now) in zip(
        before, after, strict=True
    ):
        assert set(train_now) - new == set(train_before)
        assert set(val_now) - new == set(val_before)
        assert set(train_now) | set(val_now) == everything
        assert not set(train_now) & set(val_now)
    assert sorted(case for _, val in after for case in val) == sorted(everything)
    assert earlier_splits(toy_root.workspace, 0) == [before[0]]


def test_new_cases_can_join_the_training_alone(toy_root):
    before = load_splits(toy_root.workspace, load_dataset(toy_root.dataset))
    dataset = add_cases(toy_root, 5)

    extend_splits(toy_root.workspace, dataset, "train")

    after = load_splits(toy_root.workspace, dataset)
    assert [val for _, val in after] == [val for _, val in before]
    assert all(set(train) >= {"case_05"} for train, _ in after)


def test_a_new_case_joins_the_side_of_its_group(toy_root):
    splits = load_splits(toy_root.workspace, load_dataset(toy_root.dataset))
    (held_out,) = splits[3][1]
    dataset = add_cases(toy_root, 5)
    group_of = {held_out: "patient", "case_05": "patient"}
    cases = [replace(c, group=group_of.get(c.id)) for c in dataset.training]
    dataset = replace(dataset, training=tuple(cases))

    extend_splits(toy_root.workspace, dataset, "train")
    trained = [train for train, _ in load_splits(toy_root.workspace, dataset)]
    assert ["case_05" in train for train in trained] == [True] * 3 + [False, True]

    toy_root.workspace.splits.unlink()
    raw = [{"train": list(t), "val": list(v)} for t, v in splits]
    toy_root.workspace.splits.write_text(json.dumps(raw))
    extend_splits(toy_root.workspace, dataset, "folds")
    assert load_splits(toy_root.workspace, dataset)[3][1] == tuple(
        sorted([held_out, "case_05"])
    )


def test_trained_folds_stay_and_the_others_learn_from_the_new_cases(toy_root):
    first = go(toy_root, 0)
    before = (first / "checkpoint_final.pt").read_bytes()
    add_cases(toy_root, 5)

    assert go(toy_root, 0, extend_splits="train") == first
    second = go(toy_root, 1)

    assert (first / "checkpoint_final.pt").read_bytes() == before
    assert Run.load(first / "run.json").training_cases == 4
    assert Run.load(second / "run.json").training_cases == 5
    assert "case_05" in Run.load(second / "run.json").data


def test_folds_go_on_when_a_case_comes_that_lies_otherwise(toy_root):
    autoseg.fingerprint(toy_root.dataset, toy_root.root)
    go(toy_root)  # all images are LPS, and the plan turns none
    plan, fingerprint = toy_root.workspace.plan("unet"), toy_root.workspace.fingerprint
    planned, measured = Plan.load(plan), json.loads(fingerprint.read_text())
    measured["orientations"] = {"LPS": 5, "RAS": 1}
    fingerprint.write_text(json.dumps(measured))

    job = find_job(toy_root.dataset, "3d_fullres", 1, toy_root.root, "unet", Options())
    with pytest.raises(TrainingError, match="orientation: LPS .* None"):
        check_other_folds(job)  # the fingerprint was made again, and the plan was not

    replace(planned, orientation="LPS").save(plan)  # as it is planned again
    job = find_job(toy_root.dataset, "3d_fullres", 1, toy_root.root, "unet", Options())
    check_other_folds(job)


def test_trained_folds_are_scored_on_cases_that_they_hold_out_since(toy_root):
    ids = [f"case_{number:02d}" for number in range(5)]
    halves = ids[:3], ids[3:]
    splits = [{"train": list(a), "val": list(b)} for a, b in (halves, halves[::-1])]
    toy_root.workspace.splits.write_text(json.dumps(splits))
    options = {**TINY, "validation": True}
    where = toy_root.dataset, "3d_fullres", toy_root.root
    folders = train_folds(*where, **options)
    before = [(f / "checkpoint_final.pt").read_bytes() for f in folders]
    add_cases(toy_root, 5)

    train_folds(*where, **options, extend_splits="folds")

    scored = [json.loads((f / "validation/summary.json").read_text()) for f in folders]
    # The first fold held out two cases, the second three.
    assert [sorted(s["cases"]) for s in scored] == [[*ids[3:], "case_05"], ids[:3]]
    assert [(f / "checkpoint_final.pt").read_bytes() for f in folders] == before


def test_splits_of_the_data_set_itself_are_not_extended(toy_root):
    dataset = load_dataset(toy_root.dataset)
    dataset = replace(dataset, splits=((("case_00",), ("case_01",)),))

    with pytest.raises(UsageError, match="given by the data set itself"):
        extend_splits(toy_root.workspace, dataset, "folds")


def describe_anew(place, **changes):
    path = place.dataset / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_another_meaning_in_dataset_json_is_told_wherever_the_plan_or_model_counts(
    toy_root, tmp_path, caplog
):
    model = go(toy_root).parent
    raw = json.loads((toy_root.dataset / "dataset.json").read_text())
    one, two = (value for name, value in raw["labels"].items() if name != "background")
    names = [name for name in raw["labels"] if name != "background"]
    exchanged = {"background": 0, names[0]: two, names[1]: one}
    changes = {"labels": exchanged, "channel_names": {"0": "CT"}, "crop": "none"}

    for key, value in changes.items():
        describe_anew(toy_root, **{**raw, key: value})
        caplog.clear()
        go(toy_root, 1)
        assert f"the plan 'unet' has other values of {key} than dataset.json" in (
            caplog.text
        )
        (line,) = tell_of_model(model)
        assert line.startswith(f"3d_fullres: dataset.json says other {key} now")
        trained = replace(find_trained(toy_root.workspace)[0], folder=model)
        (entry,) = stale_folds(
            trained, load_dataset(toy_root.dataset), toy_root.workspace
        )
        assert entry["what"] == f"trained when dataset.json said other {key}"
        describe_anew(toy_root, **raw, crop="nonzero")
        assert not tell_of_model(model)

    describe_anew(toy_root, **{**raw, "task": "instance"})
    with pytest.raises(DatasetError, match="for the task 'semantic'.*says 'instance'"):
        go(toy_root)
