"""State-space layers: a recurrence along rows of tokens, computed in parallel.

A state of n numbers for each channel follows the tokens: it decays, and takes in what a
token gives; each output is a sum of it. Tokens are cut into pieces as long as there are
pieces. All pieces are gone through at once from a state of zero, then their ends are
handed on from piece to piece, and what each piece began with is added: some
2 sqrt(N) steps instead of N, and no step is for one token alone.

Legend: B batch, N tokens, C channels, n numbers of a state, T steps, K pieces, N = T K.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.blueprints._sequence import SCANNED
from autoseg.blueprints.tensors import Layer

SLOWEST, FASTEST = 1e-3, 1e-1  # steps before anything is learned


class Scan(nn.Module):
    """The recurrence of a selective state space [1]_.

    References
    ----------
    .. [1] Gu & Dao, "Mamba: linear-time sequence modeling with selective state spaces",
       COLM 2024. arXiv:2312.00752
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        channels, states = layer.options["width"], layer.options["states"]
        rates = torch.arange(1, states + 1, dtype=torch.float32).log()
        self.log_rates = nn.Parameter(rates.repeat(channels, 1))
        self.skip = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor, steps: Tensor, given: Tensor, taken: Tensor) -> Tensor:
        """Return (B, N, C).

        Parameters
        ----------
        x, steps : Tensor, shape (B, N, C)
            What comes in, and, before softplus, how far each token moves the state.
        given, taken : Tensor, shape (B, N, n)
            How a token enters the state, and how it is read off.
        """
        scan: Any = _Scanned.apply
        found: Tensor = scan(x, steps, given, taken, self.log_rates, self.skip)
        return found


class Causal(nn.Module):
    """A convolution of each channel along tokens, over those before."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        channels, self.kernel = layer.options["width"], layer.options["before"]
        bound = self.kernel**-0.5
        self.weight = nn.Parameter(torch.empty(channels, self.kernel))
        nn.init.uniform_(self.weight, -bound, bound)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, N, C)."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        found = torch.addcmul(bias, x, weight[:, -1])
        for back in range(1, min(self.kernel, x.shape[1])):
            found[:, back:].addcmul_(x[:, :-back], weight[:, -1 - back])
        return found


class Steps(nn.Linear):
    """A matrix that gives the steps of a state, and starts them between two bounds."""

    def __init__(self, layer: Layer, channels: int, made: int) -> None:
        super().__init__(channels, made)
        if self.weight.is_meta:
            return
        nn.init.uniform_(self.weight, -(channels**-0.5), channels**-0.5)
        low, high = math.log(SLOWEST), math.log(FASTEST)
        steps = torch.empty(made).uniform_(low, high).exp()
        with torch.no_grad():  # the inverse of softplus
            self.bias.copy_(steps + torch.log(-torch.expm1(-steps)))


class _Scanned(torch.autograd.Function):
    """The recurrence; its states are computed once more in the backward pass."""

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        x, steps, given, taken, log_rates, skip = tensors
        rates, length = -log_rates.float().exp(), _length(x)
        given, taken = _pieces(given.float(), length), _pieces(taken.float(), length)
        found = torch.empty_like(x)
        for part in _parts(x, rates):
            inside = x[..., part].float()
            moved = functional.softplus(steps[..., part].float())
            decays, states, start = _states(inside, moved, given, rates[part], length)
            for step in range(1, len(decays)):
                decays[step].mul_(decays[step - 1])
            states.addcmul_(decays, start)
            said = torch.matmul(states, taken[..., None])[..., 0]
            found[..., part] = _whole(said, x.shape[1]) + inside * skip[part].float()
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        x, steps, given, taken, log_rates, skip = ctx.saved_tensors
        rates, length, count = -log_rates.float().exp(), _length(x), x.shape[1]
        given, taken = _pieces(given.float(), length), _pieces(taken.float(), length)
        of_x, of_steps = torch.empty_like(x), torch.empty_like(steps)
        of_given, of_taken = torch.zeros_like(given), torch.zeros_like(taken)
        of_rates, of_skip = torch.zeros_like(rates), torch.zeros_like(rates[:, 0])
        for part in _parts(x, rates):
            inside, raw = x[..., part].float(), steps[..., part].float()
            moved, wanted = functional.softplus(raw), gradients[0][..., part].float()
            decays, states, start = _states(inside, moved, given, rates[part], length)
            for decay, state in zip(decays, states, strict=True):
                start = decay * start
                state += start
            asked = _pieces(wanted, length)
            of_taken += torch.matmul(asked[..., None, :], states)[..., 0, :]
            of_states = _backward_states(asked, taken, decays)
            entered = _pieces(moved * inside, length)
            of_given += torch.matmul(entered[..., None, :], of_states)[..., 0, :]
            of_entered = torch.matmul(of_states, given[..., None])[..., 0]
            of_entered = _whole(of_entered, count)
            # What of a state was there before, times its gradient: that of a decay.
            states -= entered[..., None] * given[..., None, :]
            states *= of_states
            of_moved = torch.matmul(
                states.movedim(-2, 0), rates[part][:, None, None, :, None]
            )
            del of_states
            of_moved = _whole(of_moved[..., 0].movedim(0, -1), count)
            states *= _pieces(moved, length)[..., None]
            of_rates[part] = states.sum((0, 1, 2))
            of_moved += of_entered * inside
            of_x[..., part] = of_entered * moved + wanted * skip[part].float()
            of_steps[..., part] = of_moved * raw.sigmoid()
            of_skip[part] = (wanted * inside).sum((0, 1))
        return (
            of_x,
            of_steps,
            _whole(of_given, count).to(ctx.saved_tensors[2].dtype),
            _whole(of_taken, count).to(ctx.saved_tensors[3].dtype),
            of_rates * rates,
            of_skip,
        )


def _length(x: Tensor) -> int:
    """Return T, steps of a piece."""
    return math.isqrt(x.shape[1] - 1) + 1


def _parts(x: Tensor, rates: Tensor) -> list[slice]:
    """Return the channels whose states are computed at once."""
    most = max(1, SCANNED // (x.shape[0] * x.shape[1] * rates.shape[1]))
    return [slice(start, start + most) for start in range(0, len(rates), most)]


def _pieces(x: Tensor, length: int) -> Tensor:
    """Return (T, B, K, F) of (B, N, F); zeros follow the last token."""
    pieces = -(-x.shape[1] // length)
    if more := pieces * length - x.shape[1]:
        x = functional.pad(x, (0, 0, 0, more))
    return x.view(len(x), pieces, length, -1).permute(2, 0, 1, 3).contiguous()


def _whole(x: Tensor, tokens: int) -> Tensor:
    """Undo `_pieces`."""
    return x.permute(1, 2, 0, 3).flatten(1, 2)[:, :tokens]


def _states(
    x: Tensor, moved: Tensor, given: Tensor, rates: Tensor, length: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return decays and states, (T, B, K, C, n), and what pieces begin with.

    The states are those of pieces that begin with zero; the third, (B, K, C, n), is
    what they begin with in truth.
    """
    steps = _pieces(moved, length)
    decays = (steps[..., None] * rates).exp_()
    states = _pieces(moved * x, length)[..., None] * given[..., None, :]
    for step in range(1, length):
        states[step].addcmul_(decays[step], states[step - 1])
    start = torch.zeros_like(states[0])
    whole = (steps.sum(0)[..., None] * rates).exp_()
    for piece in range(1, start.shape[1]):
        before = piece - 1
        torch.addcmul(
            states[-1][:, before],
            whole[:, before],
            start[:, before],
            out=start[:, piece],
        )
    return decays, states, start


def _backward_states(asked: Tensor, taken: Tensor, decays: Tensor) -> Tensor:
    """Return the gradients of all states: the recurrence from the last token on."""
    found = asked[..., None] * taken[..., None, :]
    for step in range(len(found) - 2, -1, -1):
        found[step].addcmul_(decays[step + 1], found[step + 1])
    # What the first state of a piece passes on to the last one of the piece before.
    passed, whole = decays[0] * found[0], decays.prod(0)
    later = torch.zeros_like(passed)
    for piece in range(later.shape[1] - 2, -1, -1):
        after = piece + 1
        torch.addcmul(
            passed[:, after], whole[:, after], later[:, after], out=later[:, piece]
        )
    for step in range(len(found) - 1, -1, -1):
        found[step] += later
        later = later * decays[step]
    return found


MODULES: dict[str, Callable[[Layer], nn.Module]] = {"scan": Scan, "causal": Causal}
