"""One fold from a command to its scores, stopped and killed on the way."""

import contextlib
import functools
import json
import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import autoseg
from autoseg.errors import TrainingError, UsageError
from autoseg.spec.plan import Plan
from autoseg.spec.run import Run
from autoseg.train.stage import train
from autoseg.workspace import (
    CHECKPOINT_FINAL,
    CHECKPOINT_LATEST,
    LOG,
    MODEL_DATASET,
    MODEL_PLAN,
    RUN,
)
from tests.forked import Forked

FAST = {
    "recipe": "fast",
    "device": "cpu",
    "precision": "fp32",
    "threads": 1,
    "workers": 1,
    "settings": {"train.iterations_per_epoch": 10, "train.validation_batches": 1},
}


def go(toy, fold=0, **options):
    options = {**FAST, "iterations": 3, "validation": False, **options}
    return train(toy.dataset, "3d_fullres", fold, toy.root, **options)


def weights(folder):
    return torch.load(folder / CHECKPOINT_FINAL, weights_only=True)["weights"]


def equal(first, second):
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


def test_a_fold_ends_with_weights_log_record_and_scores(toy_root):
    folder = go(toy_root, validation=True, iterations=20)

    entries = [json.loads(row) for row in (folder / LOG).read_text().splitlines()]
    scores = json.loads((folder / "validation" / "summary.json").read_text())
    run = Run.load(folder / RUN)
    assert [entry["iteration"] for entry in entries] == [10, 20]
    assert {"loss", "learning_rate", "dice", "waiting_for_loader"} <= entries[0].keys()
    assert (run.iterations, run.training_cases, run.validation_cases) == (20, 4, 1)
    assert scores["cases"] and (folder / "checkpoint_best.pt").is_file()
    assert not (folder / CHECKPOINT_LATEST).exists()
    assert Plan.load(folder.parent / MODEL_PLAN).name == "unet"
    assert json.loads((folder.parent / MODEL_DATASET).read_text())["channel_names"]


def test_nothing_in_the_record_names_this_machine(toy_root):
    folder = go(toy_root)
    text = (folder / RUN).read_text() + (folder.parent / MODEL_DATASET).read_text()

    assert str(toy_root.root) not in text
    assert os.uname().nodename not in text


def test_the_fold_all_trains_on_every_case(toy_root):
    folder = go(toy_root, "all", iterations=2)

    run = Run.load(folder / RUN)
    assert (folder.name, run.training_cases) == ("fold_all", 5)


def start(toy, iterations, said):
    options = {**FAST, "recipe": "nnunet", "iterations": iterations}
    work = functools.partial(train, **options, validation=False, checkpoint_seconds=0)
    given = toy.dataset, "3d_fullres", 0, toy.root
    return Forked(said, work, given, {"OMP_NUM_THREADS": "1"})


def wait_for(path: Path, process, checkpoints: int):
    """Wait until a file was replaced so many times."""
    seen, deadline = set(), time.monotonic() + 120
    while len(seen) < checkpoints and time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"it ended too early: {process.said()}")
        with contextlib.suppress(FileNotFoundError):  # just being replaced
            seen.add(path.stat().st_mtime_ns)
        time.sleep(0.001)


def test_killed_and_told_to_stop_it_ends_with_the_weights_of_one_that_was_not(
    toy_root, tmp_path
):
    whole = {**FAST, "recipe": "nnunet", "iterations": 40, "validation": False}
    expected = weights(train(toy_root.dataset, "3d_fullres", 0, toy_root.root, **whole))
    log = (toy_root.fold() / LOG).read_text().splitlines()
    shutil.rmtree(toy_root.fold())

    # Killed twice, and then told by a batch system that its time is over.
    ends = (4, signal.SIGKILL), (11, signal.SIGKILL), (3, signal.SIGUSR1)
    for checkpoints, how in ends:
        process = start(toy_root, 40, tmp_path / "said.txt")
        wait_for(toy_root.fold() / CHECKPOINT_LATEST, process, checkpoints)
        process.send(how)
        process.wait(60)
    assert process.said().endswith("KeyboardInterrupt\n")  # and it was not killed
    assert not (toy_root.fold() / CHECKPOINT_FINAL).exists()
    go(toy_root, **whole)

    assert equal(weights(toy_root.fold()), expected)
    again = (toy_root.fold() / LOG).read_text().splitlines()
    for first, second in zip(log, again, strict=True):
        first, second = json.loads(first), json.loads(second)
        assert first["iteration"] == second["iteration"]
        assert first["loss"] == second["loss"] and first["dice"] == second["dice"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGUSR1])
def test_ctrl_c_writes_a_checkpoint_and_says_how_to_go_on(toy_root, number, caplog):
    caplog.set_level("INFO")
    log = toy_root.fold() / LOG

    def ask_once_it_runs():
        while not log.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    threading.Thread(target=ask_once_it_runs).start()
    with pytest.raises(KeyboardInterrupt):
        go(toy_root, iterations=100_000)

    state = torch.load(toy_root.fold() / CHECKPOINT_LATEST, weights_only=True)
    assert state["clock"]["iteration"] >= 10
    assert "the same command goes on from there" in caplog.text


def test_a_finished_fold_is_not_trained_again(toy_root, caplog):
    folder = go(toy_root)
    before = (folder / CHECKPOINT_FINAL).stat().st_mtime_ns

    caplog.set_level("INFO")
    go(toy_root)

    assert (folder / CHECKPOINT_FINAL).stat().st_mtime_ns == before
    assert "--overwrite trains it again" in caplog.text


def test_predicting_its_cases_keeps_to_a_memory_and_what_was_trained_stays(toy_root):
    with pytest.raises(UsageError, match="GB"):
        go(toy_root, validation=True, iterations=2, max_memory=1e-4)
    trained = (toy_root.fold() / CHECKPOINT_FINAL).read_bytes()
    summary = toy_root.fold() / "validation" / "summary.json"
    assert not summary.exists()

    go(toy_root, validation=True, iterations=2, max_memory=30.0)

    assert summary.is_file()
    assert (toy_root.fold() / CHECKPOINT_FINAL).read_bytes() == trained


def test_other_options_are_refused_and_overwrite_starts_again(toy_root):
    folder = go(toy_root)
    first = weights(folder)

    with pytest.raises(TrainingError, match="--seed: 0 is recorded, 5 is asked for"):
        go(toy_root, seed=5)
    go(toy_root, seed=5, overwrite=True)

    assert not equal(weights(folder), first)
    assert Run.load(folder / RUN).seed == 5


def test_a_record_without_options_goes_on_as_it_was(toy_root):
    folder = go(toy_root, settings={**FAST["settings"], "patch_size": [4, 8, 8]})
    (folder / CHECKPOINT_FINAL).unlink()

    train(toy_root.dataset, "3d_fullres", 0, toy_root.root, validation=False)

    assert Run.load(folder / RUN).overrides == {"patch_size": [4, 8, 8]}
    plan = Plan.load(folder.parent / MODEL_PLAN)
    assert plan.configuration("3d_fullres").patch_size == (4, 8, 8)


def test_folds_of_one_model_must_have_one_network(toy_root):
    go(toy_root, 0, iterations=2)
    changed = {**FAST["settings"], "network.features": [4, 8]}

    with pytest.raises(TrainingError, match="fold_0 .*(?s:.*)network.options.features"):
        go(toy_root, 1, iterations=2, settings=changed)


def test_a_checkpoint_without_a_record_is_not_overwritten_silently(toy_root):
    folder = go(toy_root)
    (folder / RUN).unlink()

    with pytest.raises(TrainingError, match="no run.json"):
        go(toy_root)


def test_training_goes_on_only_with_the_same_cases(toy_root):
    folder = go(toy_root)
    splits = json.loads(toy_root.workspace.splits.read_text())
    toy_root.workspace.splits.write_text(json.dumps(splits[::-1]))

    with pytest.raises(TrainingError, match="trained on other cases"):
        go(toy_root)
    assert (folder / CHECKPOINT_FINAL).is_file()


def test_cases_that_are_not_preprocessed_are_made_first(toy_root, caplog):
    store = toy_root.workspace.data(
        Plan.load(toy_root.workspace.plan("unet")).data_id("3d_fullres")
    )
    shutil.rmtree(store)

    caplog.set_level("INFO")
    go(toy_root, iterations=2)

    assert "5 of 5 cases are not preprocessed" in caplog.text


def test_steps_are_timed_with_the_optimizer_that_a_short_training_has(
    toy_root, monkeypatch
):
    timed = []

    def remember(job, run, hardware):
        timed.append(run.recipe["optimizer"])
        return 1.0

    for module in ("begin", "length"):
        monkeypatch.setattr(f"autoseg.train.{module}.seconds_of_a_step", remember)
    long = {"train.epochs": 1000, "train.iterations_per_epoch": 250}  # the plan's own
    folder = go(toy_root, iterations=None, time_budget=1.5, recipe=None, settings=long)

    assert set(timed) == {Run.load(folder / RUN).recipe["optimizer"]} == {"muon"}


def test_a_time_budget_ends_and_is_recorded_with_the_network_made_to_fit(toy_root):
    folder = go(toy_root, iterations=None, time_budget=1.5, recipe=None)

    last = json.loads((folder / LOG).read_text().splitlines()[-1])
    run = Run.load(folder / RUN)
    assert (run.iterations, run.time_budget, run.recipe["name"]) == (None, 1.5, "fast")
    assert last["progress"] == 1.0
    # When it is over depends on the machine; test_schedule.py has a clock of its own.
    assert run.fitted.keys() <= {"network.features", "batch_size"}
    assert bool(run.fitted) == bool(run.fitted_because)


def test_a_fitted_network_is_found_again(toy_root, monkeypatch):
    from autoseg.train import begin
    from autoseg.train.fit import Fit

    narrow = {"network.features": [3, 5, 5], "batch_size": 1}
    monkeypatch.setattr(begin, "fit_to_time", lambda *_, **__: Fit(narrow, "too slow"))
    folder = go(toy_root, iterations=None, time_budget=1.5, recipe=None)
    monkeypatch.undo()
    again = go(toy_root, iterations=None, time_budget=1.5, recipe=None)

    run = Run.load(folder / RUN)
    assert again == folder
    assert (run.batch_size, run.fitted_because) == (1, "too slow")
    weights = torch.load(folder / "checkpoint_final.pt", weights_only=True)["weights"]
    assert weights["encoder.stages.0.0.convs.0.conv.weight"].shape[0] == 3


def test_two_processes_do_not_train_one_fold(toy_root):
    from autoseg.train.setup.job import only_one

    with (
        only_one(toy_root.fold()),
        pytest.raises(TrainingError, match="Another process"),
    ):
        go(toy_root)


def test_it_starts_from_the_weights_of_another_model(toy_root):
    source = go(toy_root, 0, iterations=2)
    # A learning rate of almost nothing: what comes out is what went in.
    start = source / CHECKPOINT_FINAL
    target = go(toy_root, 1, iterations=1, init_from=str(start), lr=1e-12)

    first, second = weights(source), weights(target)
    for name in first:
        np.testing.assert_allclose(first[name], second[name], atol=1e-9)
    assert Run.load(target / RUN).init_from

    go(toy_root, 1, iterations=1, init_from=str(start), lr=1e-12)  # there already
    with pytest.raises(TrainingError, match="began with random ones.*--overwrite"):
        go(toy_root, 0, iterations=2, init_from=str(start))
    replace(Run.load(target / RUN), init_from="0" * 64).save(target / RUN)
    with pytest.raises(TrainingError, match="began with others"):
        go(toy_root, 1, iterations=1, init_from=str(start), lr=1e-12)
    start.rename(start.with_suffix(".moved"))
    go(toy_root, 1, iterations=1, init_from=str(start), lr=1e-12)


def test_a_plan_that_is_missing_names_the_command_that_makes_it(toy_root):
    with pytest.raises(UsageError, match="There are plans unet.*plan_and_preprocess"):
        train(toy_root.dataset, "3d_fullres", 0, toy_root.root, plan="other")


def test_settings_that_change_the_preprocessed_data_are_refused(toy_root):
    with pytest.raises(UsageError, match="autoseg plan --set"):
        go(toy_root, settings={"spacing": [1, 1, 1]})


def test_autoseg_train_is_the_stage():
    assert autoseg.train.__name__ == "autoseg.train" and callable(autoseg.train)


def test_nnunets_own_augmentation_trains_the_same_whatever_the_threads(toy_root):
    settings = {**FAST["settings"], "train.augmentation": "batchgeneratorsv2"}
    first = weights(go(toy_root, iterations=2, workers=2, settings=settings))
    options = {"iterations": 2, "workers": 0, "settings": settings, "overwrite": True}

    assert equal(first, weights(go(toy_root, **options)))
