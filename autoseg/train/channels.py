"""Kernels for another number of image channels.

Legend: C channels of the image, K channels of a result, S spatial shape.
"""

from __future__ import annotations

from torch import Tensor


def differs_in_inputs(given: Tensor, wanted: Tensor) -> bool:
    """Return whether two kernels differ in the channels that they are given alone."""
    return (
        given.dim() == wanted.dim() > 2
        and given.shape[0] == wanted.shape[0]
        and given.shape[2:] == wanted.shape[2:]
    )


def adapted(kernel: Tensor, wanted: Tensor) -> Tensor:
    """Return kernels (K, C, *S) whose sum over channels is that of others.

    The sum is spread evenly over the channels that there are.
    """
    channels = wanted.shape[1]
    mean = kernel.sum(1, keepdim=True) / channels
    return mean.expand(-1, channels, *kernel.shape[2:])
