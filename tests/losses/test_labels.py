"""What all losses of label maps have in common, in 2-D and 3-D."""

import torch

from autoseg.losses import LOSSES
from autoseg.testing import loss as contract
from tests.each import each

ALL = [
    *("border_ce", "boundary", "cl_dice", "dice", "focal", "focal_tversky"),
    *("generalized_ce", "generalized_dice", "hausdorff", "lovasz"),
    *("skeleton_recall", "symmetric_ce", "top_k_ce", "tversky"),
]
PARTLY = [[3, [-1, 0, -1]]]  # background, or class 2


def _batch(shape, channels=3):
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn((2, channels, *shape), generator=generator)
    target = torch.randint(-1, 3, (2, *shape), generator=generator)
    return logits, target


def _value_and_slope(loss, logits, target):
    logits = logits.clone().requires_grad_()
    value = loss(logits, target)
    value.backward()
    assert value.isfinite() and logits.grad.isfinite().all()
    return value.detach(), logits.grad


@each("batch_dice", [False, True])
@each("shape", [(8, 9), (4, 6, 5)])
@each("name", ALL)
def test_unknown_classes_are_one_with_the_background(name, shape, batch_dice):
    logits, target = _batch(shape)
    target[1][target[1] != 1] = 3
    loss = LOSSES[name](batch_dice, partly=PARTLY)

    value, slope = _value_and_slope(loss, logits, target)

    other = logits.clone()
    there = target[1] == 3
    other[1, 0][there], other[1, 2][there] = logits[1, 2][there], logits[1, 0][there]
    again, _ = _value_and_slope(loss, other, target)
    torch.testing.assert_close(again, value)
    assert slope[1].abs().sum() > 0


@each("name", ALL)
def test_regions_are_learnt_and_those_nobody_looked_for_are_left_alone(name):
    logits, target = _batch((4, 6, 5), channels=2)
    rows = [[3, [0, -1]], [4, [1, -1]], [5, [1, -1]]]
    target = target.clamp(min=0)
    target[1] += 3
    loss = LOSSES[name](regions=[[1, 2], [2]], partly=rows)

    _, slope = _value_and_slope(loss, logits, target)

    assert not slope[1, 1].any()
    assert slope[1, 0].any() and slope[0, 1].any()


@each("name", [n for n in ALL if LOSSES[n].sums_up])
def test_shares_of_a_partly_annotated_batch_give_the_loss_of_the_whole(name):
    rule = next(r for r in contract.RULES if r.__name__.startswith("of_shares"))

    class Partly(LOSSES[name]):
        @classmethod
        def example(cls):
            made, target, logits = LOSSES[name].example()
            target[1] = torch.where(target[1] == 1, 1, 3)
            made.partly = PARTLY
            return made, target, logits

    assert rule(Partly) is None
