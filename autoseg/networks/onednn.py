"""Layers on the CPU that torch computes faster if it is asked in another way.

Convolutions by oneDNN where torch would compute them by a plain loop, and norms that
leave the layout of channels alone.

For a batch of one and few channels torch takes a loop that is three to five times
slower (``use_mkldnn`` in its Convolution.cpp: fewer than 20,481 numbers along the first
four axes). A U-Net of 8-16-32-64 features on a window of 40x56x40 takes 0.18 s that way
and 0.03 s by oneDNN, on one core.

Letters: B batch, C channels in, K channels out, S spatial shape.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.networks._enlargement import Enlargement, is_enlargement
from autoseg.networks._layout import is_last, with_last
from autoseg.networks._norm import MANY, normalize

LOOPS_UP_TO = 20_480  # numbers along the first four axes
# oneDNN's half-precision kernels need AVX-512 or newer; torch has plain ones.
_COMPUTES = {
    torch.bfloat16: torch.ops.mkldnn._is_mkldnn_bf16_supported,
    torch.float16: torch.ops.mkldnn._is_mkldnn_fp16_supported,
}


def prefer_onednn(network: nn.Module) -> None:
    """Have all convolutions and norms of a network take the faster way, also backward.

    Parameters
    ----------
    network : Module
        On the CPU. Its weights and their names stay as they are. Nothing changes where
        torch has no oneDNN.
    """
    if not torch.backends.mkldnn.is_available():
        return
    for module in network.modules():
        forward = _forward_of(module)
        if forward is not None:
            module.forward = functools.partial(forward, module)


def _forward_of(module: nn.Module) -> Callable[..., Tensor] | None:
    """Return what computes a layer from now on; None: what did until now."""
    if isinstance(module, (nn.Conv2d, nn.Conv3d)):
        plain = not isinstance(module.padding, str) and module.padding_mode == "zeros"
        return _convolve if plain else None
    if isinstance(module, (nn.InstanceNorm2d, nn.InstanceNorm3d)):
        return None if module.track_running_stats else _normalize
    if isinstance(module, (nn.ConvTranspose2d, nn.ConvTranspose3d)):
        return _enlarge if is_enlargement(module) else None
    return None


def _convolve(layer: nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
    weight, bias = layer.weight, layer.bias
    if torch.is_autocast_enabled("cpu"):
        kind = torch.get_autocast_dtype("cpu")
        if torch.is_grad_enabled() or not _COMPUTES[kind]():
            # With half precision, torch takes oneDNN by itself wherever it can.
            plain: Any = type(layer).forward
            return cast("Tensor", plain(layer, x))
        x, weight = x.to(kind), weight.to(kind)
        bias = None if bias is None else bias.to(kind)
    settings = (layer.stride, layer.padding, layer.dilation, layer.groups)
    convolve: Any = _Convolution.apply
    return cast("Tensor", convolve(x, weight, bias, *settings))


def _enlarge(
    layer: nn.ConvTranspose2d | nn.ConvTranspose3d, x: Tensor, size: Any = None
) -> Tensor:
    """Return (B, K, *S * stride) for (B, C, *S)."""
    half = torch.is_autocast_enabled("cpu") or x.dtype != torch.float32
    if size is not None or half or not is_last(x):
        plain: Any = type(layer).forward
        return cast("Tensor", plain(layer, x, size))
    enlarge: Any = Enlargement.apply
    return cast("Tensor", enlarge(x, layer.weight, layer.bias))


def _normalize(layer: nn.InstanceNorm2d | nn.InstanceNorm3d, x: Tensor) -> Tensor:
    """Return (B, C, *S) normalized in each sample and channel, in the layout of x.

    torch brings channels last into channels first for that, and the convolution after
    it back, forward and backward: a third of a step of training.
    """
    if not is_last(x) or math.prod(x.shape[2:]) == 1:
        plain: Any = type(layer).forward
        return cast("Tensor", plain(layer, x))
    found = [
        _normalize_one(layer, sample) for sample in (x.split(1) if len(x) > 1 else [x])
    ]
    return found[0] if len(found) == 1 else torch.cat(found)


def _normalize_one(layer: nn.InstanceNorm2d | nn.InstanceNorm3d, x: Tensor) -> Tensor:
    scales = (layer.weight, layer.bias)
    if x.dtype == torch.float32 and x.numel() >= MANY:
        return normalize(x, *scales, layer.eps)
    # Batch norm of one sample is the same, too, and leaves the layout alone.
    return functional.batch_norm(x, None, None, *scales, training=True, eps=layer.eps)


class _Convolution(torch.autograd.Function):
    """A convolution whose backward pass torch takes for one that oneDNN computes."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> Tensor:
        """Return what the convolution of x (B, C, *S) gives, (B, K, *S')."""
        # A kernel of one voxel is laid out in both ways.
        ctx.last = is_last(weight) or (math.prod(weight.shape[2:]) == 1 and is_last(x))
        x = with_last(x) if ctx.last else x.contiguous()  # once, not in each pass again
        ctx.save_for_backward(x, weight)
        ctx.settings = (stride, padding, dilation, groups)
        ctx.bias_sizes = None if bias is None else list(bias.shape)
        result: Tensor = torch.mkldnn_convolution(
            x, weight, bias, padding, stride, dilation, groups
        )
        return result

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of image, weight and bias."""
        x, weight = ctx.saved_tensors
        slope = with_last(slopes[0]) if ctx.last else slopes[0].contiguous()
        wanted = [*ctx.needs_input_grad[:2], ctx.bias_sizes is not None]
        image = None
        if wanted[0]:
            image = _turned(slope, weight, *ctx.settings)
            wanted[0] = image is None
        found, *others = _way(slope, x)(
            slope, x, weight, ctx.bias_sizes, ctx.settings, wanted
        )
        gradients = (found if image is None else image, *others)
        return (*gradients, None, None, None, None)


def _way(slope: Tensor, x: Tensor) -> Callable[..., tuple[Tensor | None, ...]]:
    """Return how oneDNN is got to compute the gradients of some images fast."""
    if slope.shape[2] == 1:
        return _at_once
    if x.dim() == 5 and is_last(slope) and x.dtype == torch.float32:
        return _by_slices
    small = math.prod(x.shape[:4]) <= LOOPS_UP_TO and len(x) == 1
    return _by_halves if small else _at_once


def _turned(
    slope: Tensor,
    weight: Tensor,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> Tensor | None:
    """Return the image's gradient: the slope convolved with the turned kernel.

    It takes three quarters of the time of oneDNN's own. None where it is no plain
    convolution.
    """
    sizes = zip(dilation, weight.shape[2:], padding, strict=True)
    margin = [d * (k - 1) - p for d, k, p in sizes]
    if groups != 1 or max(stride) > 1 or min(margin) < 0:
        return None
    turned = weight.flip(*range(2, weight.dim())).transpose(0, 1)
    found: Tensor = torch.mkldnn_convolution(
        slope, turned, None, margin, stride, dilation, groups
    )
    return found


def _at_once(
    slope: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: list[int] | None,
    settings: tuple[Any, ...],
    wanted: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    stride, padding, dilation, groups = settings
    still = (0,) * len(stride)
    found: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
        slope,
        x,
        weight,
        bias_sizes,
        stride,
        padding,
        dilation,
        False,
        still,
        groups,
        wanted,
    )
    return found


def _by_slices(
    slope: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: list[int] | None,
    settings: tuple[Any, ...],
    wanted: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Take the slices of a volume for a batch of planes, once for each of the kernel.

    oneDNN has no fast kernel for the gradient of weights of volumes whose first axis is
    padded, if channels are last; of planes it has. Slices that lie in memory one after
    the other are such planes as they are, and what the padding adds is nothing.
    """
    stride, padding, dilation, groups = settings
    still = (stride[1:], padding[1:], dilation[1:], groups)
    image = torch.zeros_like(x) if wanted[0] else None
    kernels: list[Tensor | None] = [None] * weight.shape[2]
    bias: Tensor | None = None
    for number in range(len(x)):
        planes, slopes = x[number].transpose(0, 1), slope[number].transpose(0, 1)
        unmet = wanted[2]  # the sum over all slices, of which one call sees all
        for place, kernel in enumerate(weight.unbind(2)):
            first = place * dilation[0] - padding[0]
            seen, by = _pairs(first, stride[0], len(planes), len(slopes))
            if by.start >= by.stop:
                continue
            adds = unmet and by == slice(0, len(slopes))
            found, *changes = _at_once(
                slopes[by],
                planes[seen],
                kernel,
                bias_sizes,
                still,
                (*wanted[:2], adds),
            )
            if image is not None and found is not None:
                image[number].transpose(0, 1)[seen] += found
            kernels[place] = _sum(kernels[place], changes[0])
            if adds:
                bias, unmet = _sum(bias, changes[1]), False
        if unmet:
            bias = _sum(bias, slopes.sum((0, 2, 3)))
    if not wanted[1]:
        return image, None, bias
    parts = [torch.zeros_like(weight[:, :, 0]) if k is None else k for k in kernels]
    return image, torch.stack(parts, 2), bias


def _sum(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return other if one is None else one if other is None else one + other


def _pairs(first: int, step: int, seen: int, count: int) -> tuple[slice, slice]:
    """Return the slices that a slice of the kernel sees, and for which outputs.

    Output i of ``count`` sees slice ``first + i * step`` of ``seen``, if there is one.
    """
    low = max(0, -(first // step))
    high = max(low, min(count, (seen - 1 - first) // step + 1))
    start = first + low * step
    return slice(start, start + (high - low) * step, step), slice(low, high)


def _by_halves(
    slope: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: list[int] | None,
    settings: tuple[Any, ...],
    wanted: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """Cut one sample along its first axis into a batch of two, which oneDNN computes.

    The halves overlap by what the kernel sees. The sums over the batch are those over
    the whole sample; only the image's gradient has to be put together again.
    """
    stride, padding, dilation, groups = settings
    rows = math.ceil(slope.shape[2] / 2)
    extent = (rows - 1) * stride[0] + dilation[0] * (weight.shape[2] - 1) + 1
    second = rows * stride[0]  # first row that the second half sees
    size, low = x.shape[2], padding[0]
    padded = _pad_rows(x, low, max(0, second + extent - size - low))
    pieces = torch.cat([padded[:, :, :extent], padded[:, :, second : second + extent]])
    slopes = torch.cat(
        [slope[:, :, :rows], _pad_rows(slope[:, :, rows:], 0, slope.shape[2] % 2)]
    )
    along = (stride, (0, *padding[1:]), dilation, groups)
    found, *others = _at_once(slopes, pieces, weight, bias_sizes, along, wanted)
    if found is None:
        return None, *others
    whole = torch.zeros_like(padded)
    whole[:, :, :extent] = found[:1]
    whole[:, :, second : second + extent] += found[1:]
    return whole[:, :, low : low + size], *others


def _pad_rows(x: Tensor, low: int, high: int) -> Tensor:
    """Add rows of zeros along the first spatial axis."""
    if not low and not high:
        return x
    return functional.pad(x, (0, 0) * (x.dim() - 3) + (low, high))
