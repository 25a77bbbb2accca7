"""Transposed convolutions that do not overlap: one product of matrices.

torch computes the same product, but of images that it brings to channels first.

Letters: B batch, C channels in, K channels out, S spatial shape, D axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from autoseg.networks._layout import empty, voxels, with_last


def is_enlargement(layer: nn.ConvTranspose2d | nn.ConvTranspose3d) -> bool:
    """Return whether each output of a transposed convolution comes from one input."""
    plain = layer.groups == 1 and max(layer.dilation) == 1
    still = not any(layer.output_padding) and not any(cast("Any", layer.padding))
    return plain and still and layer.kernel_size == layer.stride


class Enlargement(torch.autograd.Function):
    """A transposed convolution that does not overlap."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Return (B, K, *S * stride) for x (B, C, *S) and weight (C, K, *stride)."""
        x = with_last(x)
        ctx.save_for_backward(x, weight)
        ctx.has_bias = bias is not None
        return enlarge(x, by_voxel(weight), weight.shape[2:], bias)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of image, weight and bias."""
        x, weight = ctx.saved_tensors
        slope = _gathered(slopes[0], weight.shape[2:])
        rows, image, change = voxels(slope), None, None
        if ctx.needs_input_grad[0]:
            image = _times(slope, by_voxel(weight).T)
        if ctx.needs_input_grad[1]:
            found = voxels(x).T @ rows
            shape = (x.shape[1], *weight.shape[2:], weight.shape[1])
            change = found.view(shape).movedim(-1, 1)
        bias = rows.sum(0).view(-1, weight.shape[1]).sum(0) if ctx.has_bias else None
        return image, change, bias


def by_voxel(weight: Tensor) -> Tensor:
    """Return a transposed kernel (C, K, *stride) as (C, prod(stride) * K)."""
    return weight.movedim(1, -1).flatten(1)


def enlarge(
    x: Tensor, kernel: Tensor, stride: Sequence[int], bias: Tensor | None
) -> Tensor:
    """Return what a transposed convolution that does not overlap makes of images.

    Parameters
    ----------
    x : Tensor, shape (B, C, *S)
        Channels last.
    kernel : Tensor, shape (C, prod(stride) * K)
        From `by_voxel`.
    stride : sequence of int, length D
        How many times larger the result is.
    bias : Tensor, shape (K,), or None
        Added.

    Returns
    -------
    Tensor, shape (B, K, *S * stride)
        Channels last.
    """
    parts = _times(x, kernel)
    if bias is not None:  # before they are split: later, only K numbers lie together
        voxels(parts).add_(bias.repeat(math.prod(stride)))
    sizes = [n * step for n, step in zip(x.shape[2:], stride, strict=True)]
    found = empty(x, parts.shape[1] // math.prod(stride), sizes)
    by_stride = parts.movedim(1, -1).unflatten(-1, (*stride, -1))
    _split(found, stride).copy_(by_stride)
    return found


def _gathered(slope: Tensor, stride: Sequence[int]) -> Tensor:
    """Return (B, K, *S * stride) as (B, prod(stride) * K, *S), channels last."""
    parts = _split(slope, stride).flatten(-len(stride) - 1)
    return with_last(parts.movedim(-1, 1))


def _split(x: Tensor, stride: Sequence[int]) -> Tensor:
    """Return a view of (B, K, *S * stride) as (B, *S, *stride, K)."""
    dim = len(stride)
    for axis, step in enumerate(stride):
        x = x.unflatten(2 + 2 * axis, (-1, step))
    places, inside = range(2, 2 * dim + 2, 2), range(3, 2 * dim + 2, 2)
    return x.permute(0, *places, *inside, 1)


def _times(x: Tensor, kernel: Tensor) -> Tensor:
    """Return images (B, C, *S), channels last, times a kernel (C, K) in each voxel."""
    found = empty(x, kernel.shape[1], x.shape[2:])
    torch.mm(voxels(x), kernel, out=voxels(found))
    return found
