"""Dice and cross-entropy against a plain formula in float64."""

import math

import pytest
import torch

from autoseg.errors import TrainingError
from autoseg.losses.dice_ce import DiceCrossEntropy

SMOOTH = 1e-5


def _plain(logits, target, batch_dice=False, ignore_index=None):
    """Return the loss from one-hot maps, with autograd's gradient."""
    counts = torch.ones_like(target, dtype=logits.dtype)
    if ignore_index is not None:
        counts = (target != ignore_index).to(logits.dtype)
    labels = torch.where(counts == 1, target, 0).clamp(min=0).long()
    one_hot = torch.nn.functional.one_hot(labels, logits.shape[1]).movedim(-1, 1)
    p = logits.softmax(1)
    entropy = -(logits.log_softmax(1) * one_hot).sum(1)
    entropy = (entropy * counts).sum() / counts.sum()
    axes = tuple(range(2, logits.dim()))
    if batch_dice:
        axes = (0, *axes)
    p, g = p * counts[:, None], one_hot * counts[:, None]
    dice = (2 * (p * g).sum(axes) + SMOOTH) / (p.sum(axes) + g.sum(axes) + SMOOTH)
    return entropy - dice[..., 1:].mean()


def _random(shape=(2, 4, 5, 6, 3), dtype=torch.float64, top=4):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(shape, dtype=dtype, generator=generator) * 3
    target = torch.randint(-1, top, (shape[0], *shape[2:]), generator=generator)
    return logits.requires_grad_(), target.to(torch.int16)


@pytest.mark.parametrize("batch_dice", [False, True])
@pytest.mark.parametrize("ignore_index", [None, 4])
def test_value_and_gradient_are_those_of_the_plain_formula(batch_dice, ignore_index):
    logits, target = _random(top=4 if ignore_index is None else 5)
    options = {"batch_dice": batch_dice, "ignore_index": ignore_index}

    loss = DiceCrossEntropy(**options)(logits, target)
    (3 * loss).backward()

    again = logits.detach().clone().requires_grad_()
    expected = _plain(again, target, **options)
    (3 * expected).backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(logits.grad, again.grad)


def test_one_voxel_by_hand():
    # p = (3/4, 1/4), the voxel is class 1: entropy log 4, Dice 2 (1/4) / (1/4 + 1)
    logits = torch.tensor([math.log(3.0), 0.0]).reshape(1, 2, 1, 1)

    loss = DiceCrossEntropy()(logits, torch.ones((1, 1, 1), dtype=torch.int16))

    assert loss.item() == pytest.approx(math.log(4) - 0.4, abs=1e-4)


def test_voxels_outside_of_the_image_are_background():
    logits, target = _random()

    loss = DiceCrossEntropy()

    assert torch.equal(loss(logits, target), loss(logits, target.clamp(min=0)))


def test_batch_dice_joins_the_samples_and_plain_dice_does_not():
    target = torch.zeros((2, 4, 4), dtype=torch.int16)
    target[0, :2] = 1  # the second sample has no foreground
    logits = torch.zeros((2, 2, 4, 4))

    apart = DiceCrossEntropy(batch_dice=False)(logits, target)
    joined = DiceCrossEntropy(batch_dice=True)(logits, target)

    # p = 1/2 everywhere: sample 0 has 2 * 4 / (8 + 8), sample 1 about 0 / 8, together
    # 2 * 4 / (16 + 8)
    assert apart.item() == pytest.approx(math.log(2) - 0.25, abs=1e-4)
    assert joined.item() == pytest.approx(math.log(2) - 1 / 3, abs=1e-4)


def test_an_absent_class_that_is_not_predicted_scores_one():
    target = torch.zeros((1, 4, 4), dtype=torch.int16)
    logits = torch.tensor([200.0, 0.0]).reshape(1, 2, 1, 1).expand(1, 2, 4, 4)

    assert DiceCrossEntropy()(logits, target).item() == pytest.approx(-1)


def test_a_batch_of_ignored_voxels_only_teaches_nothing():
    logits, _ = _random()
    target = torch.full((2, 5, 6, 3), 4)

    loss = DiceCrossEntropy(ignore_index=4)(logits, target)
    loss.backward()

    assert loss.isfinite()
    assert not logits.grad.any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_logits_are_summed_in_float32(dtype):
    logits, target = _random((1, 3, 40, 40, 40), torch.float32, top=3)
    low = logits.detach().to(dtype).requires_grad_()

    loss = DiceCrossEntropy()(low, target)
    loss.backward()

    exact = low.detach().double().requires_grad_()
    expected = _plain(exact, target)
    expected.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    assert low.grad.dtype == dtype
    torch.testing.assert_close(low.grad.double(), exact.grad, rtol=0.02, atol=1e-7)


def test_layout_in_memory_does_not_matter():
    logits, target = _random()
    turned = logits.detach().contiguous(memory_format=torch.channels_last_3d)

    loss = DiceCrossEntropy()

    assert torch.equal(loss(turned, target), loss(logits, target))


def test_a_gradient_can_be_taken_twice():
    logits, target = _random()
    loss = DiceCrossEntropy()(logits, target)

    (first,) = torch.autograd.grad(loss, logits, retain_graph=True)
    (second,) = torch.autograd.grad(loss, logits)

    assert torch.equal(first, second)


@pytest.mark.parametrize(
    "target", [torch.zeros((2, 5, 6)), torch.zeros((2, 5, 5), dtype=torch.int16)]
)
def test_a_target_that_does_not_fit_is_refused(target):
    with pytest.raises(TrainingError, match=r"integers of shape \(2, 5, 6\)"):
        DiceCrossEntropy()(torch.zeros((2, 3, 5, 6)), target)
