"""What every loss must do, whoever wrote it."""

from __future__ import annotations

import inspect
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from autoseg.losses.base import Loss, Share
from autoseg.testing._contract import Contract, require

RULES = Contract("loss")
FLAT, STEEP = 1e-6, 1e-4  # of a gradient


def check_loss(kind: type[Loss]) -> None:
    """Raise PluginError unless a class keeps the rules of a loss.

    Parameters
    ----------
    kind : type
        The class; its ``example`` gives a loss, a target and perfect logits.
    """
    RULES.check(kind.__name__, [(kind,)])


def _gradient(loss: Loss, logits: Tensor, target: Tensor) -> Tensor:
    logits = logits.detach().clone().requires_grad_()
    loss(logits, target).backward()
    if logits.grad is None:
        require(False, "there is no gradient")
    found: Any = logits.grad
    return torch.as_tensor(found)


def _imperfect(logits: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(logits.shape, generator=generator)


@RULES.add
def it_is_a_loss_that_knows_batch_dice(kind: type[Loss]) -> None:
    """The trainer gives it to every loss."""
    loss, _, _ = kind.example()
    require(isinstance(loss, Loss), "it is no subclass of Loss")
    require("batch_dice" in inspect.signature(type(loss)).parameters)


@RULES.add
def it_is_a_finite_float32_scalar(kind: type[Loss]) -> None:
    """For perfect, for random and for empty logits."""
    loss, target, logits = kind.example()
    for candidate in (logits, _imperfect(logits), torch.zeros_like(logits)):
        value = loss(candidate, target)
        good = value.shape == () and value.dtype == torch.float32 and value.isfinite()
        require(good, f"it is {value!r}")


@RULES.add
def of_what_is_no_number_it_is_no_number(kind: type[Loss]) -> None:
    """Without an error of its own: the trainer stops, and names the cases."""
    loss, target, perfect = kind.example()
    value = loss(torch.full_like(perfect, math.nan), target)
    require(bool(value.isnan()), f"it is {value!r}")


@RULES.add
def it_is_lowest_where_its_gradient_is_zero(kind: type[Loss]) -> None:
    """At the perfect logits, and only there."""
    loss, target, perfect = kind.example()
    there = _gradient(loss, perfect, target).abs().max()
    away = _gradient(loss, _imperfect(perfect), target).abs().max()
    require(not there > FLAT, f"the gradient at the perfect logits is {there}")
    require(away > STEEP, f"the gradient elsewhere is {away}")
    require(loss(perfect, target) < loss(_imperfect(perfect), target))


@RULES.add
def a_step_against_the_gradient_makes_it_smaller(kind: type[Loss]) -> None:
    """A short one, from random logits."""
    loss, target, perfect = kind.example()
    logits = _imperfect(perfect)
    step = _gradient(loss, logits, target)
    step = 0.1 * step / step.norm()
    require(loss(logits - step, target) < loss(logits, target))


@RULES.add
def the_order_of_the_batch_does_not_matter(kind: type[Loss]) -> None:
    """With and without Dice over the whole batch."""
    for batch_dice in (False, True):
        loss, target, perfect = kind.example()
        vars(loss)["batch_dice"] = batch_dice
        logits = _imperfect(perfect)
        turned = loss(logits.flip(0), target.flip(0))
        torch.testing.assert_close(turned, loss(logits, target))


class _Meeting(Share):
    """One of two threads that have a share of a batch each, as processes would."""

    def __init__(self, number: int, table: list[Any], barrier: threading.Barrier):
        self.number, self.table, self.barrier = number, table, barrier

    def total(self, *sums: Tensor) -> tuple[Tensor, ...]:
        self.table[self.number] = [one.detach() for one in sums]
        self.barrier.wait()
        other = list(self.table[1 - self.number])
        self.barrier.wait()  # nobody writes before both have read
        return tuple(mine + theirs for mine, theirs in zip(sums, other, strict=True))


def _in_two(work: Callable[[_Meeting], Any]) -> list[Any]:
    """Return what two threads find that meet, the first one's first."""
    barrier, table = threading.Barrier(2, timeout=20), [None, None]

    def alone(number: int) -> Any:
        try:
            return work(_Meeting(number, table, barrier))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(alone, (0, 1)))


@RULES.add
def of_shares_of_a_batch_it_is_the_loss_of_the_whole(kind: type[Loss]) -> None:
    """If it says that it ``sums_up``: the value, and the gradient by each share."""
    _, target, perfect = kind.example()
    logits = _imperfect(perfect)
    # A share without foreground, too: everybody has to take part in each sum.
    empty = torch.cat((torch.zeros_like(target[:1]), target[1:]))
    for batch_dice, aim in ((False, target), (True, target), (True, empty)):
        loss, _, _ = kind.example()
        if not loss.sums_up:
            return
        vars(loss)["batch_dice"] = batch_dice

        def of_share(
            share: _Meeting, aim: Tensor = aim, batch_dice: bool = batch_dice
        ) -> tuple[Tensor, Tensor]:
            mine, _, _ = kind.example()
            vars(mine)["batch_dice"] = batch_dice
            mine.batch = share
            part = slice(share.number, None, 2)
            own = logits[part].clone().requires_grad_()
            value = mine(own, aim[part])
            value.backward()
            return value.detach(), torch.as_tensor(own.grad)

        found = _in_two(of_share)
        wanted, whole = _gradient(loss, logits, aim), loss(logits, aim)
        for number, (value, gradient) in enumerate(found):
            torch.testing.assert_close(value, whole)
            torch.testing.assert_close(gradient, wanted[number::2])


@RULES.add
def a_target_without_foreground_is_no_trouble(kind: type[Loss]) -> None:
    """Nothing is NaN."""
    loss, target, perfect = kind.example()
    empty = torch.zeros_like(target)
    gradient = _gradient(loss, _imperfect(perfect), empty)
    require(loss(_imperfect(perfect), empty).isfinite(), "the loss is not finite")
    require(gradient.isfinite().all(), "the gradient is not finite")


@RULES.add
def ignored_voxels_do_not_count(kind: type[Loss]) -> None:
    """If it has ``ignore_index``: neither in the value nor in the gradient."""
    loss, target, perfect = kind.example()
    if not hasattr(loss, "ignore_index"):
        return
    vars(loss)["ignore_index"] = 9
    ignored = torch.zeros((len(target), *perfect.shape[2:]), dtype=torch.bool)
    ignored[:, 2:5] = True
    if loss.takes_labels:
        target = target.masked_fill(ignored, 9)
    elif loss.takes_layers:
        target = target.masked_fill(ignored[:, None], 9)
    else:
        target = target.masked_fill(ignored[:, None], torch.nan)
    logits = _imperfect(perfect)
    other = torch.where(ignored[:, None], -3 * logits + 1, logits)
    gradient = _gradient(loss, logits, target).movedim(1, -1)
    require(torch.equal(loss(logits, target), loss(other, target)), "the value")
    require(not gradient[ignored].any(), "there is a gradient at ignored voxels")
    require(gradient[~ignored].any(), "there is no gradient at the others")


@RULES.add
def it_leaves_its_arguments_alone(kind: type[Loss]) -> None:
    """Logits and target are the caller's."""
    loss, target, perfect = kind.example()
    logits = _imperfect(perfect)
    before = logits.clone(), target.clone()
    _gradient(loss, logits, target)
    require(torch.equal(logits, before[0]) and torch.equal(target, before[1]))


@RULES.add
def it_computes_in_float32_under_autocast(kind: type[Loss]) -> None:
    """Half precision ends at 65,504."""
    loss, target, perfect = kind.example()
    logits = _imperfect(perfect)
    with torch.autocast("cpu", torch.bfloat16):
        value = loss(logits, target)
    require(torch.equal(value, loss(logits, target)))
