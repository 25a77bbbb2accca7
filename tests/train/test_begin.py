"""A training begins when it can; one that cannot leaves nothing behind."""

import dataclasses
import json

import pytest
import torch

from autoseg.errors import AutosegError, TrainingError, UsageError
from autoseg.spec.choice import Choice
from autoseg.spec.plan import Plan
from autoseg.spec.run import Run
from autoseg.train import begin
from autoseg.train.fit import PLANNED, fit_to_time
from autoseg.train.setup.job import find_job
from autoseg.train.setup.options import Options
from autoseg.train.stage import train
from autoseg.workspace import CHECKPOINT_FINAL, MODEL_PLAN, RUN

FAST = {
    "recipe": "fast",
    "device": "cpu",
    "precision": "fp32",
    "threads": 1,
    "workers": 1,
}
QUICK = {"train.iterations_per_epoch": 10, "train.validation_batches": 1}


def go(toy, fold=0, settings=(), **options):
    options = {**FAST, "iterations": 2, "validation": False, **options}
    settings = {**QUICK, **dict(settings)}
    return train(
        toy.dataset, "3d_fullres", fold, toy.root, settings=settings, **options
    )


def features(folder):
    plan = Plan.load(folder.parent / MODEL_PLAN)
    return plan.configuration("3d_fullres").network.options["features"]


@pytest.mark.parametrize(
    "settings",
    [
        {"network.features": "8,16"},
        {"network.feature": [8, 16, 16]},
        {"train.momentumm": 0.5},
        {"batch_size": 1_000_000_000},
        {"patch_size": [100_000, 100_000, 100_000]},
    ],
    ids=str,
)
def test_what_cannot_begin_leaves_nothing_and_binds_nobody(toy_root, settings):
    with pytest.raises(AutosegError):
        go(toy_root, settings=settings)

    assert not toy_root.workspace.results.exists()
    first = go(toy_root, settings={"network.features": [2, 4, 4]})
    other = go(toy_root, 1, settings={"network.features": [2, 4, 4]})
    assert features(first) == features(other) == [2, 4, 4]


@pytest.fixture
def damage(toy_root, monkeypatch):
    """Damage what is prepared, right after a training has looked for changes."""
    real = begin._ensure_data

    def damaged(job):
        real(job)
        for case in toy_root.workspace.preprocessed.glob("*/*.b2nd"):
            case.write_bytes(b"damaged")

    return lambda: monkeypatch.setattr(begin, "_ensure_data", damaged)


def test_a_batch_that_cannot_be_drawn_is_no_beginning(toy_root, damage):
    damage()

    with pytest.raises(AutosegError):
        go(toy_root)

    assert not toy_root.workspace.results.exists()


def test_the_earlier_training_stays_until_the_new_one_can_begin(toy_root):
    folder = go(toy_root)
    before = (folder / CHECKPOINT_FINAL).read_bytes()

    with pytest.raises(UsageError):
        go(toy_root, overwrite=True, settings={"network.features": "8,16"})

    assert (folder / CHECKPOINT_FINAL).read_bytes() == before
    go(toy_root, overwrite=True, settings={"network.features": [2, 4, 4]})
    assert features(folder) == [2, 4, 4]


def test_the_earlier_training_stays_if_its_data_cannot_be_read(toy_root, damage):
    folder = go(toy_root)
    before = (folder / CHECKPOINT_FINAL).read_bytes()
    damage()

    with pytest.raises(AutosegError):
        go(toy_root, overwrite=True)

    assert (folder / CHECKPOINT_FINAL).read_bytes() == before


def test_other_folds_are_asked_before_a_training_is_thrown_away(toy_root):
    first, _ = go(toy_root), go(toy_root, 1)

    with pytest.raises(TrainingError, match="fold_1 in .* trained with another plan"):
        go(toy_root, overwrite=True, settings={"network.features": [2, 4, 4]})

    assert (first / CHECKPOINT_FINAL).is_file()


def test_a_record_without_any_checkpoint_binds_nobody(toy_root):
    """An earlier version wrote record and plan before the network was built."""
    folder = go(toy_root)
    (folder / CHECKPOINT_FINAL).unlink()
    (folder / "checkpoint_best.pt").unlink()

    other = go(toy_root, 1, settings={"network.features": [2, 4, 4]})
    again = go(toy_root, 0, settings={"network.features": [2, 4, 4]})

    assert features(other) == [2, 4, 4]
    assert Run.load(again / RUN).overrides == {"network.features": [2, 4, 4]}


def test_a_folder_without_a_checkpoint_binds_nobody(toy_root):
    folder = go(toy_root, 1)
    (toy_root.fold(0)).mkdir()
    for file in list(folder.iterdir()):
        if file.is_file():
            file.unlink()

    assert features(go(toy_root, 2, settings={"network.features": [2, 4, 4]})) == [
        2,
        4,
        4,
    ]


def test_a_fold_that_trains_right_now_binds_others(toy_root):
    from autoseg.train.setup.job import only_one

    folder = go(toy_root)
    (folder / CHECKPOINT_FINAL).unlink()
    (folder / "checkpoint_best.pt").unlink()

    with only_one(folder), pytest.raises(TrainingError, match="another plan"):
        go(toy_root, 1, settings={"network.features": [2, 4, 4]})


def test_arguments_are_looked_at_before_the_fold(toy_root):
    go(toy_root)

    with pytest.raises(UsageError, match="feature"):
        go(toy_root, settings={"network.feature": [8, 16, 16]})


def test_no_lock_is_left_behind(toy_root):
    folder = go(toy_root)

    assert not [p.name for p in folder.parent.iterdir() if p.name.startswith(".")]


def test_drawing_the_first_batch_changes_nothing(toy_root, monkeypatch):
    before = torch.load(go(toy_root) / CHECKPOINT_FINAL, weights_only=True)["weights"]
    monkeypatch.setattr("autoseg.train.begin._first_batch", lambda trainer: None)

    after = go(toy_root, overwrite=True)

    after = torch.load(after / CHECKPOINT_FINAL, weights_only=True)["weights"]
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    "settings, word",
    [
        # 10^9 patches of 8 * 16 * 16 voxels, 4 bytes of image and 1 of label: 10.2 TB
        ({"batch_size": 1_000_000_000}, r"1\.02e\+04 GB"),
        # 2 patches of 10^15 voxels
        ({"patch_size": [100_000, 100_000, 100_000]}, r"1e\+07 GB"),
    ],
)
def test_memory_is_asked_for_before_anything_is_built(
    toy_root, monkeypatch, settings, word
):
    def never(*arguments):
        raise RuntimeError("it was built")

    monkeypatch.setattr("autoseg.train.begin.make_trainer", never)

    with pytest.raises(UsageError, match=f"takes about {word}, and this machine has"):
        go(toy_root, settings=settings)


def test_a_step_that_is_too_large_is_refused_by_the_planners_arithmetic(
    toy_root, monkeypatch
):
    monkeypatch.setattr("autoseg.train.setup.memory.total_memory", lambda: 200_000)

    # A batch is 2 * 2048 * 5 = 20,480 bytes; feature maps alone, 2 * 2048 * 4 * 4 and
    # more than once.
    with pytest.raises(UsageError, match="A step of 3d_fullres"):
        go(toy_root)


def test_a_network_without_widths_is_trained_as_planned(toy_root):
    job = find_job(toy_root.dataset, "3d_fullres", 0, toy_root.root, "unet", Options())
    bare = dataclasses.replace(
        job.settings, network=Choice(name="straight", options={"dim": 3, "width": 4})
    )
    plan = dataclasses.replace(job.plan, configurations={"3d_fullres": bare})
    job = dataclasses.replace(job, plan=plan)

    def never(tried):
        raise RuntimeError("timed")

    assert fit_to_time(job, Options(time_budget=20.0), never) == PLANNED


def test_the_record_is_of_what_was_asked_for(toy_root):
    folder = go(toy_root, settings={"network.features": [2, 4, 4]})

    raw = json.loads((folder / RUN).read_text())
    assert raw["overrides"] == {"network.features": [2, 4, 4]}
    assert raw["iterations"] == 2
