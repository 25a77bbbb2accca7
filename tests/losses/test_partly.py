"""What a case says nothing of counts for nothing: losses of such patches."""

import math

import numpy as np
import pytest
import torch

from autoseg.losses.dice_bce import DiceBinaryCrossEntropy
from autoseg.losses.dice_ce import DiceCrossEntropy
from autoseg.testing import loss as contract

# Three classes; the label 3 is of a case that speaks of class 1 only: a voxel is
# background or class 2.
PARTLY = [[3, [-1, 0, -1]]]
SMOOTH = 1e-5


def _plain(logits, labels, batch_dice):
    """Return the loss, in float64, voxel by voxel, from its definition."""
    z = logits.detach().double().numpy()
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    entropy, dice = [], []
    sums = {k: [] for k in (1, 2)}
    for sample, target in zip(p, labels.numpy(), strict=True):
        for place, label in np.ndenumerate(target):
            here = sample[(slice(None), *place)]
            sure = here[0] + here[2] if label == 3 else here[max(label, 0)]
            entropy.append(-math.log(sure))
        for k in (1, 2):
            if k == 2 and (target == 3).any():
                continue  # this case does not speak of it
            g = target == k
            sums[k].append(((sample[k] * g).sum(), sample[k].sum(), g.sum()))
    for found in sums.values():
        if batch_dice and found:
            found = [tuple(map(sum, zip(*found, strict=True)))]
        dice += [(2 * a + SMOOTH) / (b + c + SMOOTH) for a, b, c in found]
    return np.mean(entropy) - np.mean(dice)


def _batch():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn((3, 3, 4, 5, 3), generator=generator) * 2
    target = torch.randint(-1, 3, (3, 4, 5, 3), generator=generator)
    second = target[1]
    second[second != 1] = 3  # as such a case is stored
    return logits, target.to(torch.int16)


@pytest.mark.parametrize("batch_dice", [False, True])
def test_unknown_classes_are_one_with_the_background(batch_dice):
    logits, target = _batch()

    found = DiceCrossEntropy(batch_dice, partly=PARTLY)(logits, target)

    assert found.item() == pytest.approx(_plain(logits, target, batch_dice), abs=1e-5)


def test_what_may_be_background_or_another_class_is_not_told_apart():
    logits, target = _batch()
    logits.requires_grad_()

    DiceCrossEntropy(partly=PARTLY)(logits, target).backward()

    # A voxel is 0 or 2: with q = p0 + p2, -log q has the gradient p_k - p_k / q for k
    # in {0, 2}, and p1 for 1; of Dice only class 1 counts in that sample.
    unknown = (target[1] == 3).nonzero()[0]
    slope = logits.grad[(1, slice(None), *unknown)]
    p = logits.detach()[(1, slice(None), *unknown)].softmax(0)
    torch.testing.assert_close(slope[0] / p[0], slope[2] / p[2])
    assert slope[0] < 0 < slope[1]


def test_where_everything_is_known_nothing_changes():
    logits, target = _batch()
    target = target.clamp(max=2)

    found = DiceCrossEntropy(partly=PARTLY)(logits, target)

    torch.testing.assert_close(found, DiceCrossEntropy()(logits, target))


def test_ignored_voxels_do_not_keep_a_sample_from_counting():
    logits, target = _batch()
    target = target.clamp(max=2)
    target[:, 0] = 4

    found = DiceCrossEntropy(partly=PARTLY, ignore_index=4)(logits, target)

    torch.testing.assert_close(found, DiceCrossEntropy(ignore_index=4)(logits, target))


def test_a_region_nobody_looked_for_is_as_if_it_were_not_there():
    # Labels 0 to 2; 3, 4, 5 are they in a case that speaks of the first region only.
    regions, rows = [[1, 2], [2]], [[3, [0, -1]], [4, [1, -1]], [5, [1, -1]]]
    logits, target = _batch()
    known, unknown = target.clamp(0, 2), target.clamp(0, 2) + 3

    found = DiceBinaryCrossEntropy(regions=regions, partly=rows)(logits[:, :2], unknown)

    alone = DiceBinaryCrossEntropy(regions=regions[:1])(logits[:, :1], known)
    torch.testing.assert_close(found, alone)


class _Partly(DiceCrossEntropy):
    """The loss of a batch that is annotated in part."""

    @classmethod
    def example(cls):
        made, target, logits = DiceCrossEntropy.example()
        target[1] = torch.where(target[1] == 1, 1, 3)
        made.partly = PARTLY
        return made, target, logits


@pytest.mark.parametrize("rule", contract.RULES, ids=lambda rule: rule.__name__)
def test_it_keeps_the_rules_of_a_loss(rule):
    assert rule(_Partly) is None
