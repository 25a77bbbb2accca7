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
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

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
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            if not isinstance(module.padding, str) and module.padding_mode == "zeros":
                module.forward = functools.partial(_forward, module)  # type: ignore[method-assign]
        if isinstance(module, (nn.InstanceNorm2d, nn.InstanceNorm3d)):
            if not module.track_running_stats:
                module.forward = functools.partial(_normalize, module)  # type: ignore[method-assign]


def _forward(layer: nn.Conv2d | nn.Conv3d, x: Tensor) -> Tensor:
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
        x = _in_layout_of(weight, x)  # once, and not in each pass again
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
        slope = _in_layout_of(weight, slopes[0])
        wanted = [*ctx.needs_input_grad[:2], ctx.bias_sizes is not None]
        image = None
        if wanted[0]:
            image = _turned(slope, weight, *ctx.settings)
            wanted[0] = image is None
        halve = math.prod(x.shape[:4]) <= LOOPS_UP_TO and len(x) == 1
        found, *others = (_by_halves if halve and slope.shape[2] > 1 else _at_once)(
            slope, x, weight, ctx.bias_sizes, ctx.settings, wanted
        )
        gradients = (found if image is None else image, *others)
        return (*gradients, None, None, None, None)


def _in_layout_of(weight: Tensor, x: Tensor) -> Tensor:
    return (
        x.contiguous(memory_format=last_layout(x))
        if _is_last(weight)
        else x.contiguous()
    )


def last_layout(x: Tensor) -> torch.memory_format:
    """Return the layout that has channels last, for images (B, C, *S)."""
    return torch.channels_last if x.dim() == 4 else torch.channels_last_3d


def _is_last(x: Tensor) -> bool:
    """Return whether channels are the fastest axis in memory."""
    return x.is_contiguous(memory_format=last_layout(x)) and not x.is_contiguous()


def _normalize(layer: nn.InstanceNorm2d | nn.InstanceNorm3d, x: Tensor) -> Tensor:
    """Return (B, C, *S) normalized in each sample and channel, in the layout of x.

    torch brings channels last into channels first for that, and the convolution after
    it back, forward and backward: a third of a step of training. Batch norm of one
    sample is the same and leaves the layout alone.
    """
    if not _is_last(x) or math.prod(x.shape[2:]) == 1:
        plain: Any = type(layer).forward
        return cast("Tensor", plain(layer, x))
    scales = (layer.weight, layer.bias)
    found = [
        functional.batch_norm(sample, None, None, *scales, training=True, eps=layer.eps)
        for sample in x.split(1)
    ]
    return found[0] if len(found) == 1 else torch.cat(found)


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
