"""Instance norm of images whose channels are last, in few passes over memory.

torch's instance norm brings such images to channels first and back. Its loops for batch
norm leave the layout alone, but are slow for few channels; so voxels are taken in rows
of several, as if their channels were different ones, and what is found of them is put
together.

Letters: C channels, S spatial shape, V voxels, G voxels in a row.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

from autoseg.networks._layout import empty, group, voxels, with_last

MANY = 2**18  # numbers of an image from which on this is faster than batch norm


def normalize(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """Return one image with mean 0 and variance 1 in each channel, then scaled.

    Parameters
    ----------
    x : Tensor of float32, shape (1, C, *S)
        Channels last; of at least two voxels.
    weight, bias : Tensor, shape (C,), or None
        Scale and shift after.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor, shape (1, C, *S)
        Channels last.
    """
    apply: Any = _Normalization.apply
    return cast("Tensor", apply(x, weight, bias, eps))


class _Normalization(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
    ) -> Tensor:
        """Return the normalized image."""
        mean, variance = statistics(_rows(x), x.shape[1])
        inverse = (variance + eps).rsqrt()
        ctx.save_for_backward(x, weight, mean, inverse)
        return _scaled(x, mean, inverse, weight, bias)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of image, scale and shift."""
        x, weight, mean, inverse = ctx.saved_tensors
        rows, slope = _rows(x), _rows(with_last(slopes[0]))
        (means,), one = _long(rows, mean), torch.ones(rows.shape[1])
        # As if the variance were known: then these are the sums of slope * (x - mean)
        # and of the slope, which is all that is needed.
        _, along, total = torch.ops.aten.native_batch_norm_backward(
            slope,
            rows,
            one,
            means,
            one,
            None,
            None,
            False,
            0.0,
            [False, True, True],
        )
        along = along.view(-1, len(mean)).sum(0) * inverse
        total = total.view(-1, len(mean)).sum(0)
        image = None
        if ctx.needs_input_grad[0]:
            scale = inverse if weight is None else inverse * weight
            count = x[0, 0].numel()
            by = -scale * along * inverse / count
            shift = -scale * total / count - by * mean
            image = empty(x, x.shape[1], x.shape[2:])
            shift, by, scale = _long(rows, shift, by, scale)
            torch.addcmul(shift, rows, by, out=_rows(image))
            _rows(image).addcmul_(slope, scale)
        needs = ctx.needs_input_grad
        return image, along if needs[1] else None, total if needs[2] else None, None


def normalized(
    x: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float, in_place: bool
) -> Tensor:
    """Return the same, also of half precision, where nothing is learned.

    Single precision may be overwritten: fresh memory would come from the system page by
    page, which takes longer than the arithmetic.
    """
    rows = _rows(x)
    mean, variance = statistics(rows, x.shape[1])
    if x.dtype == torch.float32:
        inverse = (variance + eps).rsqrt()
        return _scaled(x, mean, inverse, weight, bias, in_place)
    mean, variance = _long(rows, mean, variance)
    weight, bias = (
        None if one is None else next(iter(_long(rows, one))) for one in (weight, bias)
    )
    found = functional.batch_norm(rows, mean, variance, weight, bias, eps=eps)
    return found.view(1, *x.shape[2:], x.shape[1]).movedim(-1, 1)


def statistics(rows: Tensor, channels: int) -> tuple[Tensor, Tensor]:
    """Return mean and variance of each channel.

    Parameters
    ----------
    rows : Tensor of float32, shape (V / G, G * C)
        An image.
    channels : int
        C.

    Returns
    -------
    mean, variance : Tensor, shape (C,)
        The variance is that of all voxels, without correction.
    """
    means, variances = torch.zeros(2, rows.shape[1])
    # Momentum 1: nothing of the zeros stays.
    torch.batch_norm_update_stats(rows, means, variances, 1.0)
    variances *= (len(rows) - 1) / len(rows)
    if rows.shape[1] == channels:
        return means, variances
    between, mean = torch.var_mean(means.view(-1, channels), 0, correction=0)
    return mean, variances.view(-1, channels).mean(0) + between


def _scaled(
    x: Tensor,
    mean: Tensor,
    inverse: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    in_place: bool = False,
) -> Tensor:
    """Return (x - mean) * inverse * weight + bias."""
    scale = inverse if weight is None else inverse * weight
    shift = -mean * scale if bias is None else bias - mean * scale
    found, rows = x if in_place else empty(x, x.shape[1], x.shape[2:]), _rows(x)
    scale, shift = _long(rows, scale, shift)
    torch.addcmul(shift, rows, scale, out=_rows(found))
    return found


def _long(rows: Tensor, *numbers: Tensor) -> Iterable[Tensor]:
    """Return numbers of each channel (C,) for each number in a row (G * C,)."""
    size = rows.shape[1] // len(numbers[0])
    return (one.expand(size, -1).reshape(-1) for one in numbers)


def _rows(x: Tensor) -> Tensor:
    """Return an image (1, C, *S), channels last, as (V / G, G * C)."""
    flat = voxels(x)
    return flat.reshape(-1, group(x.shape[1], len(flat)) * x.shape[1])
