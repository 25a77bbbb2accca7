"""How layers on rows of tokens are computed.

Legend: B batch, N tokens, C channels, S spatial shape, D number of axes, d channels of
a head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.blueprints.tensors import Layer

SLOWEST = 10_000.0  # turns of the first pair of channels for one of the last


class Scale(nn.Module):
    """A learned number for each channel, or one for all.

    Parameters
    ----------
    layer : Layer
        Of a drawing.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        options = layer.options
        self.axes = options["axes"]
        self.weight = nn.Parameter(torch.full((options["size"],), options["start"]))

    def forward(self, x: Tensor) -> Tensor:
        """Return the shape that is given: (B, N, C), or (B, C, *S)."""
        weight = self.weight.to(x.dtype)
        return x * weight.view(-1, *(1,) * self.axes)


class AmongChannels(nn.Module):
    """A convolution over neighboring channels of one voxel.

    Parameters
    ----------
    layer : Layer
        Of a drawing.
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        kernel = layer.options["neighbors"]
        self.weight = nn.Parameter(torch.empty(1, 1, kernel))
        nn.init.normal_(self.weight, std=kernel**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, *ones) for the same."""
        row = x.flatten(1)[:, None]
        found = functional.conv1d(row, self.weight, padding=self.weight.shape[2] // 2)
        return found.view(x.shape)


def _look(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    heads = options["heads"]
    if len(inputs) == 2:
        inputs = [inputs[0], *inputs[1].chunk(2, dim=2)]
    query, key, value = (x.unflatten(2, (heads, -1)).transpose(1, 2) for x in inputs)
    scale = query.shape[-1] ** -0.5 if options["scaled"] else 1.0
    if more := value.shape[-1] - query.shape[-1]:  # the fused kernel wants them alike
        query, key = (functional.pad(x, (0, more)) for x in (query, key))
    found = functional.scaled_dot_product_attention(query, key, value, scale=scale)
    return found.transpose(1, 2).flatten(2)


def _between_channels(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    rows = inputs[0].flatten(2)
    alike = torch.bmm(rows, rows.transpose(1, 2))
    unlike = alike.amax(-1, keepdim=True) - alike
    return torch.bmm(unlike.softmax(-1), rows).view(inputs[0].shape)


class _Rotated(torch.autograd.Function):
    """Pairs of channels as points of a plane, each turned by its own angle."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        ctx.angles = cosine, sine
        return _turned(x, cosine, sine)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        cosine, sine = ctx.angles
        return _turned(gradients[0], cosine, -sine), None, None


def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Return (B, N, heads, d / 2, 2) of the same, for angles (N, 1, d / 2, 1)."""
    quarter = torch.stack((-x[..., 1], x[..., 0]), dim=-1)
    return x * cosine + quarter * sine


def _rotate(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x, heads = inputs[0], options["heads"]
    pairs = x.unflatten(2, (heads, -1, 2))
    angles = _angles(shape, pairs.shape[3] // len(shape), x.device)
    cosine, sine = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    turn: Any = _Rotated.apply
    found: Tensor = turn(pairs, cosine, sine)
    return found.flatten(2)


def _angles(shape: Sequence[int], pairs: int, device: Any) -> Tensor:
    """Return (N, 1, D pairs, 1): places along each axis, times frequencies."""
    steps = torch.arange(pairs, device=device, dtype=torch.float32) / pairs
    frequencies = SLOWEST**-steps
    places = [torch.arange(n, device=device, dtype=torch.float32) for n in shape]
    grids = torch.meshgrid(*places, indexing="ij")
    angles = torch.stack([grid[..., None] * frequencies for grid in grids], dim=-2)
    return angles.reshape(-1, 1, len(shape) * pairs, 1)


def _apart(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x = inputs[0].unflatten(2, (options["parts"], -1))
    found: Tensor = x.transpose(1, 2).flatten(0, 1)
    return found


def _together(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x = inputs[0].unflatten(0, (-1, options["parts"]))
    found: Tensor = x.transpose(1, 2).flatten(2)
    return found


MODULES: dict[str, Callable[[Layer], nn.Module]] = {
    "scale": Scale,
    "among_channels": AmongChannels,
}
SHAPED: dict[str, Callable[[list[Tensor], Any, Any], Tensor]] = {
    "look": _look,
    "between_channels": _between_channels,
    "rotate": _rotate,
    "apart": _apart,
    "together": _together,
}
