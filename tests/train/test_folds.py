"""A cross-validation: what is missing is trained, what is there is left alone."""

import dataclasses
import json

import pytest

from autoseg.errors import TrainingError, UsageError
from autoseg.spec.plan import Plan
from autoseg.train.folds import is_complete, train_folds
from autoseg.train.stage import train
from tests.forked import Spawning

TINY = {
    "iterations": 2,
    "recipe": "fast",
    "precision": "fp32",
    "threads": 1,
    "workers": 0,
    "settings": {
        "train.iterations_per_epoch": 2,
        "train.validation_batches": 1,
        "train.augmentation": "none",
    },
}


def go(toy, configuration="3d_fullres", device="cpu", **options):
    return train_folds(
        toy.dataset, configuration, toy.root, device=device, **{**TINY, **options}
    )


@pytest.fixture
def two_folds(toy_root):
    """Five cases in two folds, so that a cross-validation is short."""
    ids = [f"case_{number:02d}" for number in range(5)]
    halves = ids[:3], ids[3:]
    splits = [{"train": list(a), "val": list(b)} for a, b in (halves, halves[::-1])]
    toy_root.workspace.splits.write_text(json.dumps(splits))
    return toy_root


def test_all_folds_are_trained_and_a_second_time_none(two_folds):
    folders = go(two_folds)

    assert [folder.name for folder in folders] == ["fold_0", "fold_1"]
    assert all(is_complete(folder) for folder in folders)
    before = [(f / "checkpoint_final.pt").stat().st_mtime_ns for f in folders]
    assert go(two_folds) == folders
    after = [(f / "checkpoint_final.pt").stat().st_mtime_ns for f in folders]
    assert after == before

    with pytest.raises(TrainingError, match="other options"):
        go(two_folds, seed=1)
    with pytest.raises(TrainingError, match="began with random ones"):
        go(two_folds, init_from=str(folders[1] / "checkpoint_final.pt"))
    assert go(two_folds, threads=2) == folders  # nothing is left to be computed


def test_only_what_is_missing_is_trained(two_folds, monkeypatch):
    train(
        two_folds.dataset, "3d_fullres", 1, two_folds.root, **{**TINY, "device": "cpu"}
    )
    seen = []
    monkeypatch.setattr(
        "autoseg.train.folds.train", lambda **call: seen.append(call["fold"])
    )

    go(two_folds)

    assert seen == [0]


def test_another_network_is_trained_by_its_plan_beside(two_folds):
    plans = two_folds.workspace
    made = Plan.load(plans.plan("unet"))
    dataclasses.replace(made, name="mine_plain_unet").save(
        plans.plan("mine_plain_unet")
    )
    dataclasses.replace(made, name="mine").save(plans.plan("mine"))
    how = {"plan": "mine", "network": "plain_unet"}

    one = train(
        two_folds.dataset, "3d_fullres", 1, two_folds.root, **TINY, device="cpu", **how
    )
    folders = go(two_folds, **how)

    assert one == folders[1]
    assert {folder.parents[1].name for folder in folders} == {"mine_plain_unet"}
    assert all(is_complete(folder) for folder in folders)


def test_the_stage_before_of_a_cascade_comes_first(two_folds, monkeypatch):
    path = two_folds.workspace.plan("unet")
    plan = Plan.load(path)
    full = plan.configuration("3d_fullres")
    second = dataclasses.replace(full, previous="3d_fullres")
    both = {**plan.configurations, "second": second}
    dataclasses.replace(plan, configurations=both).save(path)
    seen = []
    monkeypatch.setattr(
        "autoseg.train.folds.train",
        lambda **call: seen.append((call["configuration"], call["fold"])),
    )

    go(two_folds, "second")

    assert seen == [("3d_fullres", 0), ("3d_fullres", 1), ("second", 0), ("second", 1)]


def test_two_devices_train_a_fold_each_and_one_that_fails_costs_no_other(
    two_folds, monkeypatch
):
    # tests/train/test_launch.py spawns some.
    monkeypatch.setattr("autoseg.train.folds.multiprocessing", Spawning)
    broken = two_folds.fold(1)
    broken.mkdir(parents=True)
    (broken / "checkpoint_latest.pt").write_bytes(b"of nobody knows which training")

    with pytest.raises(TrainingError, match="1 fold failed.*\n.*fold_1.output.txt"):
        go(two_folds, device="cpu,cpu", validation=False)

    assert is_complete(two_folds.fold(0), validation=False)
    assert "Training Toy" in (two_folds.fold(0) / "output.txt").read_text()
    assert "checkpoint_latest.pt" in (broken / "output.txt").read_text()


def test_overwrite_is_for_one_fold(two_folds):
    with pytest.raises(UsageError, match="--overwrite"):
        go(two_folds, overwrite=True)
