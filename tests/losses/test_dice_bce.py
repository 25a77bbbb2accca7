"""Dice and binary cross-entropy against a plain formula in float64."""

import math

import pytest
import torch

from autoseg.errors import TrainingError
from autoseg.losses.dice_bce import DiceBinaryCrossEntropy

SMOOTH = 1e-5
REGIONS = [[1, 2, 3], [2, 3], [3]]


def _plain(logits, target, batch_dice=False, ignore_index=None):
    counts = torch.ones_like(target, dtype=logits.dtype)[:, None]
    if ignore_index is not None:
        counts = (target != ignore_index).to(logits.dtype)[:, None]
    masks = [torch.isin(target, torch.tensor(region)) for region in REGIONS]
    g = torch.stack(masks, 1).to(logits.dtype)
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, g, reduction="none"
    )
    entropy = (entropy * counts).sum() / (counts.sum() * len(REGIONS))
    axes = tuple(range(2, logits.dim()))
    if batch_dice:
        axes = (0, *axes)
    p, g = logits.sigmoid() * counts, g * counts
    dice = (2 * (p * g).sum(axes) + SMOOTH) / (p.sum(axes) + g.sum(axes) + SMOOTH)
    return entropy - dice.mean()


def _random(shape=(2, 3, 5, 6, 3), dtype=torch.float64, top=4):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(shape, dtype=dtype, generator=generator) * 3
    target = torch.randint(-1, top, (shape[0], *shape[2:]), generator=generator)
    return logits.requires_grad_(), target.to(torch.int16)


@pytest.mark.parametrize("batch_dice", [False, True])
@pytest.mark.parametrize("ignore_index", [None, 4])
def test_value_and_gradient_are_those_of_the_plain_formula(batch_dice, ignore_index):
    logits, target = _random(top=4 if ignore_index is None else 5)
    options = {"batch_dice": batch_dice, "ignore_index": ignore_index}

    loss = DiceBinaryCrossEntropy(regions=REGIONS, **options)(logits, target)
    (3 * loss).backward()

    again = logits.detach().clone().requires_grad_()
    expected = _plain(again, target, **options)
    (3 * expected).backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(logits.grad, again.grad)


def test_one_voxel_by_hand():
    # p = 3/4 inside the region: entropy log(4/3), Dice 2 (3/4) / (3/4 + 1)
    logits = torch.full((1, 1, 1, 1), math.log(3.0))

    loss = DiceBinaryCrossEntropy(regions=[[5]])(logits, torch.full((1, 1, 1), 5))

    assert loss.item() == pytest.approx(math.log(4 / 3) - 6 / 7, abs=1e-4)


def test_a_region_that_holds_the_background_holds_what_is_outside_of_the_image():
    target = torch.tensor([-1, 0, 1]).reshape(1, 1, 3)
    logits = torch.tensor([90.0, 90.0, -90.0]).reshape(1, 1, 1, 3)

    loss = DiceBinaryCrossEntropy(regions=[[0]])(logits, target)

    assert loss.item() == pytest.approx(-1)


def test_large_logits_do_not_overflow():
    target = torch.zeros((1, 1, 2), dtype=torch.int16)
    logits = torch.tensor([200.0, -200.0]).reshape(1, 1, 1, 2).requires_grad_()

    loss = DiceBinaryCrossEntropy(regions=[[1]])(logits, target)
    loss.backward()

    # one voxel is wrong by 200, the other right: the mean is 100, Dice about 0
    assert loss.item() == pytest.approx(100, abs=1e-3)
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_logits_are_summed_in_float32(dtype):
    logits, target = _random((1, 3, 40, 40, 40), torch.float32)
    low = logits.detach().to(dtype).requires_grad_()

    loss = DiceBinaryCrossEntropy(regions=REGIONS)(low, target)
    loss.backward()

    exact = low.detach().double().requires_grad_()
    expected = _plain(exact, target)
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    torch.testing.assert_close(low.grad.double(), exact.grad, rtol=0.02, atol=1e-7)


def test_a_channel_too_many_is_refused():
    with pytest.raises(TrainingError, match="made for 3 channels and got 2"):
        DiceBinaryCrossEntropy(regions=REGIONS)(
            torch.zeros((1, 2, 4, 4)), torch.zeros((1, 4, 4), dtype=torch.int16)
        )
