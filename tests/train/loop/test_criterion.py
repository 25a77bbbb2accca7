"""Deep supervision weighs and shrinks as it should, for any head."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from autoseg.errors import PlanError
from autoseg.losses import LOSSES
from autoseg.losses.base import Loss
from autoseg.spec.choice import Choice
from autoseg.tasks import TASKS
from autoseg.tasks.semantic import SemanticTask
from autoseg.train.loop.criterion import Criterion, level_weights, shrink

LABELS = {"background": 0, "one": 1, "two": 2}


def test_each_level_weighs_half_the_one_before_and_the_last_nothing():
    assert level_weights(4) == pytest.approx([4 / 7, 2 / 7, 1 / 7, 0])
    assert level_weights(2) == [1, 0]
    assert level_weights(1) == [1]


@pytest.mark.parametrize("step", [(1, 2, 2), (2, 4, 8), (1, 1, 1), (4, 1, 2)])
def test_shrinking_is_torchs_nearest_exact(step):
    target = torch.randint(0, 5, (2, 8, 16, 16), dtype=torch.int16)
    shape = [size // by for size, by in zip((8, 16, 16), step, strict=True)]

    expected = functional.interpolate(
        target[:, None].float(), size=shape, mode="nearest-exact"
    )[:, 0]

    assert torch.equal(shrink(target, shape).float(), expected)


def test_the_loss_is_the_weighted_sum_over_levels():
    task = TASKS["semantic"](labels=LABELS)
    criterion = Criterion(task, batch_dice=False, spacing=(1, 1))
    labels = torch.randint(0, 3, (2, 16, 16), dtype=torch.int16)
    levels = [torch.randn(2, 3, size, size) for size in (16, 8, 4)]
    loss = LOSSES["dice_ce"]()

    expected = 2 / 3 * loss(levels[0], labels) + 1 / 3 * loss(
        levels[1], labels[:, 1::2, 1::2]
    )

    assert criterion({"classes": levels}, labels) == pytest.approx(float(expected))


def test_without_deep_supervision_one_output_is_enough():
    task = TASKS["semantic"](labels=LABELS)
    criterion = Criterion(task, batch_dice=True, spacing=(1, 1))
    labels = torch.randint(0, 3, (2, 8, 8), dtype=torch.int16)
    logits = torch.randn(2, 3, 8, 8)

    expected = LOSSES["dice_ce"](batch_dice=True)(logits, labels)

    assert criterion({"classes": logits}, labels) == pytest.approx(float(expected))


class _Squares(Loss):
    """A loss that learns dense targets."""

    def __init__(self, batch_dice=False):
        super().__init__()

    def forward(self, logits, target):
        return functional.mse_loss(logits, target)

    @classmethod
    def example(cls):
        target = torch.rand(2, 3, 4, 4)
        return cls(), target, target


def test_losses_that_want_dense_targets_get_what_the_task_encodes(monkeypatch):
    monkeypatch.setitem(LOSSES._plugins, "squares", _Squares)
    task = TASKS["semantic"](labels=LABELS)
    head = task.heads[0].__class__(
        name="classes", channels=3, activation="identity", loss=Choice(name="squares")
    )
    monkeypatch.setattr(type(task), "heads", property(lambda self: (head,)))
    labels = torch.randint(0, 3, (2, 8, 8), dtype=torch.int16)
    dense = np.stack([labels.numpy() == k for k in range(3)], axis=1)
    criterion = Criterion(task, batch_dice=False, spacing=(1, 1))
    perfect = torch.from_numpy(dense.astype(np.float32))

    assert criterion({"classes": perfect}, labels) == 0
    assert criterion({"classes": 1 - perfect}, labels) == 1


def test_ids_are_encoded_though_all_losses_of_the_task_take_integers():
    choice = {"name": "embedding", "options": {}}
    task = TASKS["instance"](labels={"cell": 1}, representation=choice)
    ids = torch.tensor([[[0, 7], [7, 9]]])

    targets = Criterion(task, False, (1.0, 1.0)).targets(ids)

    assert targets["foreground"].tolist() == [[[0, 1], [1, 1]]]
    assert len(targets["embedding"].unique()) == 3


def test_a_loss_that_asks_for_it_is_told_the_spacing_of_the_patch():
    labels = {"background": 0, "one": 1}
    task = SemanticTask(labels=labels, losses={"classes": "boundary"})

    criterion = Criterion(task, False, (3.0, 1.0, 0.5))

    assert criterion.losses["classes"].spacing == (3.0, 1.0, 0.5)


def test_a_loss_that_knows_nothing_of_unknown_classes_is_refused():
    labels = {"background": 0, "one": 1, "two": 2}
    task = SemanticTask(labels=labels, partly=[["one"]], losses={"classes": "affinity"})

    with pytest.raises(PlanError, match="cannot learn from cases of which some"):
        Criterion(task, False, (1.0, 1.0))
