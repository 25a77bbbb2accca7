"""The layers that networks are made of.

Legend: B batch, C channels, S spatial shape, N tokens, D number of axes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.blueprints.backward import fills
from autoseg.blueprints.drawing import Layer
from autoseg.blueprints.modules import _attention as windows
from autoseg.blueprints.modules import _scan as scan
from autoseg.blueprints.modules import _sequences as sequences
from autoseg.blueprints.modules._again import AveragePool
from autoseg.blueprints.modules._norms import INSTANCE, ChannelNorm

CONVOLUTIONS: dict[int, type[nn.Module]] = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED: dict[int, type[nn.Module]] = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
POOL = {2: functional.max_pool2d, 3: functional.max_pool3d}
UNPOOL = {2: functional.max_unpool2d, 3: functional.max_unpool3d}
AVERAGE = {2: functional.avg_pool2d, 3: functional.avg_pool3d}
ADAPTIVE: dict[tuple[str, int], Callable[..., Tensor]] = {
    ("average", 2): functional.adaptive_avg_pool2d,
    ("average", 3): functional.adaptive_avg_pool3d,
    ("largest", 2): functional.adaptive_max_pool2d,
    ("largest", 3): functional.adaptive_max_pool3d,
}
LINEAR = {2: "bilinear", 3: "trilinear"}


BATCH: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class Deconv(nn.Module):
    """A transposed convolution whose kernel overlaps its neighbors."""

    def __init__(self, plain: Any, front: tuple[int, ...]) -> None:
        super().__init__()
        self.weight: nn.Parameter = plain.weight
        self.bias: nn.Parameter | None = plain.bias
        self.kernel_size, self.stride = plain.kernel_size, plain.stride
        self.padding, self.dilation, self.front = plain.padding, plain.dilation, front
        self.output_padding, self.groups = plain.output_padding, plain.groups
        self.margin = list(itertools.chain(*((n, 0) for n in reversed(front))))

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C', *S * stride) for (B, C, *S)."""
        convolve: Any = (
            functional.conv_transpose2d if x.dim() == 4 else functional.conv_transpose3d
        )
        settings = self.stride, self.padding, self.output_padding, self.groups
        large: Tensor = convolve(x, self.weight, self.bias, *settings)
        return functional.pad(large, self.margin)


class Position(nn.Module):
    """A learned vector for each token."""

    def __init__(self, tokens: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, tokens, channels))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, N, C) for (B, N, C)."""
        return x + self.weight


class StandardConv(nn.Module):
    """A convolution whose kernels are standardized before they are used."""

    def __init__(self, layer: Layer, channels: int, made: int) -> None:
        super().__init__()
        options = layer.options
        shape = made, channels // options["groups"], *options["kernel"]
        self.weight = nn.Parameter(torch.empty(shape))
        if not self.weight.is_meta:
            nn.init.kaiming_normal_(self.weight)
        names = "stride", "padding", "dilation", "groups"
        self.settings = [options[name] for name in names]

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C', *S / stride) for (B, C, *S)."""
        convolve: Any = functional.conv2d if x.dim() == 4 else functional.conv3d
        # A layer norm over each kernel: its gradient needs no more than the weights.
        weight = functional.layer_norm(self.weight, self.weight.shape[1:])
        found: Tensor = convolve(x, weight, None, *self.settings)
        return found


def make(layer: Layer, channels: int, made: int, dim: int) -> nn.Module:
    """Return the module of a layer that learns.

    Parameters
    ----------
    layer : Layer
        Of a drawing.
    channels, made : int
        Of its input and output.
    dim : int
        Number of spatial axes.
    """
    options = layer.options
    if options.get("standardized"):
        return StandardConv(layer, channels, made)
    if layer.kind in ("conv", "head") and "front" not in options:
        return CONVOLUTIONS[dim](
            channels,
            made,
            options["kernel"],
            options["stride"],
            options["padding"],
            options["dilation"],
            options["groups"],
            bias=options["bias"],
        )
    if "front" in options:
        plain = TRANSPOSED[dim](
            channels,
            made,
            options["kernel"],
            options["stride"],
            options["padding"],
            groups=options["groups"],
            bias=options["bias"],
        )
        return Deconv(plain, options["front"]) if any(options["front"]) else plain
    if layer.kind == "norm":
        return _normalization(options, channels, dim)
    if layer.kind == "act":
        return nn.PReLU(channels)
    if layer.kind == "steps":
        return scan.Steps(layer, channels, made)
    if layer.kind in _MODULES:
        return _MODULES[layer.kind](layer)
    if layer.kind == "linear":
        return nn.Linear(channels, made, bias=options["bias"])
    return Position(options["tokens"], channels)


def _normalization(options: Any, channels: int, dim: int) -> nn.Module:
    kind, eps, affine = options["norm"], options["eps"], options["affine"]
    if kind == "channel":
        return ChannelNorm(channels, eps=eps, elementwise_affine=affine)
    if kind == "group":
        return nn.GroupNorm(options["groups"], channels, eps=eps, affine=affine)
    if kind == "layer":
        return nn.LayerNorm(channels, eps=eps, elementwise_affine=affine)
    return {"instance": INSTANCE, "batch": BATCH}[kind][dim](
        channels, eps=eps, affine=affine
    )


def apply(
    layer: Layer, inputs: list[Tensor], in_place: bool, shape: torch.Size | None
) -> Any:
    """Return what a layer without weights makes of its inputs; a pool gives two.

    Parameters
    ----------
    layer : Layer
        Of a drawing.
    inputs : list of Tensor
        What it reads.
    in_place : bool
        It may overwrite them.
    shape : Size or None
        S of the tensor whose shape it takes, if it takes one.
    """
    x, options = inputs[0], layer.options
    if layer.kind == "act":
        return activate(x, options, in_place)
    if layer.kind == "add":
        total = inputs[0]
        for other in inputs[1:]:
            total = total + other
        return total
    if layer.kind == "cat":
        return torch.cat(inputs, dim=1)
    if layer.kind == "gate":
        return x * inputs[1]
    return _SHAPED[layer.kind](inputs, options, shape)


def activate(x: Tensor, options: Any, in_place: bool) -> Tensor:
    """Return the activation of each number."""
    kind = options["act"]
    if kind == "leaky":
        return functional.leaky_relu(x, options.get("slope", 0.01), inplace=in_place)
    if kind == "relu":
        return functional.relu(x, inplace=in_place)
    plain: dict[str, Callable[[Tensor], Tensor]] = {
        "elu": functional.elu,
        "gelu": functional.gelu,
        "silu": functional.silu,
        "relu6": functional.relu6,
        "hard_swish": functional.hardswish,
        "sigmoid": torch.sigmoid,
        "hard_sigmoid": functional.hardsigmoid,
    }
    return plain[kind](x)


def _max_pool(inputs: list[Tensor], options: Any, shape: Any) -> tuple[Tensor, Tensor]:
    x = inputs[0]
    kernel, stride = options["kernel"], options["stride"]
    if options["fit"]:
        kernel = stride = [min(k, n) for k, n in zip(kernel, x.shape[2:], strict=True)]
    found: tuple[Tensor, Tensor] = POOL[x.dim() - 2](
        x,
        kernel,
        stride,
        options["padding"],
        return_indices=True,
    )
    return found


def _unpool(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x, places = inputs
    stride = [n // m for n, m in zip(shape, x.shape[2:], strict=True)]
    found: Tensor = UNPOOL[x.dim() - 2](x, places, stride, output_size=list(shape))
    return found


def _resize(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x, size = inputs[0], list(shape)
    if options["mode"] == "nearest":
        return functional.interpolate(x, size, mode="nearest")
    mode, corners = LINEAR[x.dim() - 2], options["mode"] == "corners"
    return functional.interpolate(x, size, mode=mode, align_corners=corners)


def _attention(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x, heads = inputs[0], options["heads"]
    batch, tokens, channels = x.shape
    parts = x.view(batch, tokens, 3, heads, channels // 3 // heads)
    query, key, value = parts.permute(2, 0, 3, 1, 4)
    found = functional.scaled_dot_product_attention(query, key, value)
    return found.transpose(1, 2).reshape(batch, tokens, channels // 3)


def _affinity(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    query, key, value = inputs
    products = query @ key.transpose(1, 2)
    return products.flatten(1).softmax(1).view_as(products) @ value


def _tokens(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    return inputs[0].flatten(2).transpose(1, 2).contiguous()


def _grid(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x = inputs[0]
    return x.transpose(1, 2).reshape(len(x), -1, *shape)


def _avg_pool(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x, stride = inputs[0], options["stride"]
    pool: Any = AVERAGE[x.dim() - 2]
    if not x.requires_grad or not fills(x.shape[2:], stride):
        found: Tensor = pool(x, stride, stride)
    else:
        found = AveragePool.apply(x, stride, pool)  # type: ignore[no-untyped-call]
    return found


def _mean(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x = inputs[0]
    return x.mean(tuple(range(2, x.dim())), keepdim=True)


def _adaptive_pool(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    kind = ADAPTIVE[options["pool"], inputs[0].dim() - 2]
    size = [
        min(pair) for pair in zip(options["size"], inputs[0].shape[2:], strict=True)
    ]
    return kind(inputs[0], size)


def _over_channels(inputs: list[Tensor], options: Any, shape: Any) -> Tensor:
    x = inputs[0]
    return torch.cat((x.mean(1, keepdim=True), x.max(1, keepdim=True).values), dim=1)


_SHAPED = {
    "adaptive_pool": _adaptive_pool,
    "affinity": _affinity,
    "over_channels": _over_channels,
    "max_pool": _max_pool,
    "unpool": _unpool,
    "avg_pool": _avg_pool,
    "mean": _mean,
    "resize": _resize,
    "tokens": _tokens,
    "grid": _grid,
    "attention": _attention,
    **windows.SHAPED,
    **sequences.SHAPED,
}
_MODULES = {**windows.MODULES, **sequences.MODULES, **scan.MODULES}
