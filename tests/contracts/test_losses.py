"""What every loss must do, whoever wrote it."""

import inspect

import pytest
import torch

from autoseg.losses import LOSSES
from autoseg.losses.base import Loss


@pytest.fixture(params=LOSSES.names())
def example(request):
    return LOSSES[request.param].example()


def _gradient(loss, logits, target):
    logits = logits.detach().clone().requires_grad_()
    loss(logits, target).backward()
    return logits.grad


def _imperfect(logits):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(logits.shape, generator=generator)


def test_it_is_a_loss_that_knows_batch_dice(example):
    loss, _, _ = example

    assert isinstance(loss, Loss)
    assert "batch_dice" in inspect.signature(type(loss)).parameters


def test_it_is_a_finite_float32_scalar(example):
    loss, target, logits = example

    for candidate in (logits, _imperfect(logits), torch.zeros_like(logits)):
        value = loss(candidate, target)
        assert value.shape == ()
        assert value.dtype == torch.float32
        assert value.isfinite()


def test_it_is_lowest_where_its_gradient_is_zero(example):
    loss, target, perfect = example

    assert not _gradient(loss, perfect, target).abs().max() > 1e-6
    assert _gradient(loss, _imperfect(perfect), target).abs().max() > 1e-4
    assert loss(perfect, target) < loss(_imperfect(perfect), target)


def test_a_step_against_the_gradient_makes_it_smaller(example):
    loss, target, perfect = example
    logits = _imperfect(perfect)

    step = _gradient(loss, logits, target)
    step = 0.1 * step / step.norm()

    assert loss(logits - step, target) < loss(logits, target)


@pytest.mark.parametrize("batch_dice", [False, True])
def test_the_order_of_the_batch_does_not_matter(example, batch_dice):
    loss, target, perfect = example
    loss.batch_dice = batch_dice
    logits = _imperfect(perfect)

    turned = loss(logits.flip(0), target.flip(0))

    torch.testing.assert_close(turned, loss(logits, target))


def test_a_target_without_foreground_is_no_trouble(example):
    loss, target, perfect = example
    empty = torch.zeros_like(target)

    gradient = _gradient(loss, _imperfect(perfect), empty)

    assert loss(_imperfect(perfect), empty).isfinite()
    assert gradient.isfinite().all()


def test_ignored_voxels_do_not_count(example):
    loss, target, perfect = example
    if not hasattr(loss, "ignore_index"):
        pytest.skip("this loss ignores nothing")
    loss.ignore_index = 9
    ignored = torch.zeros(target.shape, dtype=torch.bool)
    ignored[:, 2:5] = True
    target = target.masked_fill(ignored, 9)
    logits = _imperfect(perfect)
    other = torch.where(ignored[:, None], -3 * logits + 1, logits)

    gradient = _gradient(loss, logits, target)

    assert torch.equal(loss(logits, target), loss(other, target))
    assert not gradient.movedim(1, -1)[ignored].any()
    assert gradient.movedim(1, -1)[~ignored].any()


def test_it_leaves_its_arguments_alone(example):
    loss, target, perfect = example
    logits = _imperfect(perfect)
    before = logits.clone(), target.clone()

    _gradient(loss, logits, target)

    assert torch.equal(logits, before[0])
    assert torch.equal(target, before[1])


def test_it_computes_in_float32_under_autocast(example):
    loss, target, perfect = example
    logits = _imperfect(perfect)

    with torch.autocast("cpu", torch.bfloat16):
        value = loss(logits, target)

    assert torch.equal(value, loss(logits, target))
