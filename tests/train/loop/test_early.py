"""A training ends early when its validation score gets no better any more."""

import json

import pytest

from autoseg.errors import UsageError
from autoseg.spec.run import Run
from autoseg.train.loop.early import EarlyEnd
from autoseg.train.stage import train
from autoseg.workspace import CHECKPOINT_BEST, CHECKPOINT_FINAL, LOG, RUN

# A rate at which no weight changes, so that the first epoch stays the best.
OPTIONS = {
    "iterations": 40,
    "lr": 1e-30,
    "device": "cpu",
    "precision": "fp32",
    "threads": 1,
    "workers": 0,
    "validation": False,
    "settings": {
        "train.iterations_per_epoch": 2,
        "train.validation_batches": 1,
        "train.weight_decay": 0,
    },
}


def _epochs_until_the_end(patience, better):
    early = EarlyEnd(patience)
    for epoch in range(1, 21):
        if early.look(epoch, epoch / 20, better=epoch in better):
            return epoch
    return None


@pytest.mark.parametrize(
    ("patience", "better", "ends"),
    [
        (3, {1}, 4),
        (3, {1, 3, 6}, 9),
        (3, set(range(1, 21)), None),
        (0.25, {1}, 6),  # 5 of 20 epochs are a quarter
        (0, {1}, None),
    ],
    ids=["once", "thrice", "always", "share", "off"],
)
def test_it_ends_after_so_many_epochs_without_a_better_score(patience, better, ends):
    assert _epochs_until_the_end(patience, better) == ends


def test_what_was_waited_for_is_kept_over_a_stop():
    early, later = EarlyEnd(3), EarlyEnd(3)
    for epoch, better in ((1, True), (2, False), (3, False)):
        early.look(epoch, epoch / 10, better)
    later.load(early.state())

    assert later.look(4, 0.4, better=False)
    assert later.epoch == 1


def test_the_best_weights_are_kept_and_the_record_says_so(toy_root, caplog):
    folder = train(
        toy_root.dataset, "3d_fullres", 0, toy_root.root, patience=2, **OPTIONS
    )

    entries = [json.loads(row) for row in (folder / LOG).read_text().splitlines()]
    assert entries[-1]["iteration"] == 6  # two epochs after the first
    best, final = (folder / name for name in (CHECKPOINT_BEST, CHECKPOINT_FINAL))
    assert best.read_bytes() == final.read_bytes()
    assert Run.load(folder / RUN).recipe["patience"] == 2


def test_without_validation_there_is_nothing_to_wait_for(toy_root):
    with pytest.raises(UsageError, match="fold all holds no case back"):
        train(
            toy_root.dataset, "3d_fullres", "all", toy_root.root, patience=2, **OPTIONS
        )
    with pytest.raises(UsageError, match="give more"):
        train(toy_root.dataset, "3d_fullres", 0, toy_root.root, patience=0, **OPTIONS)
