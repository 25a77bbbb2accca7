"""Kernels for another number of image channels.

Legend: C channels of the image, K channels of a result, S spatial shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
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


def by_name(
    kernel: Tensor, wanted: Tensor, theirs: Sequence[str], ours: Sequence[str]
) -> Tensor:
    """Return kernels (K, C, *S) for other image channels, by their names.

    Parameters
    ----------
    kernel : Tensor
        That there is, for the channels ``theirs`` and what comes after them.
    wanted : Tensor
        Of the shape that is needed, for ``ours`` and what comes after them.
    theirs, ours : sequence of str
        Names of channels. One that only we have gets the mean of all of theirs.

    Returns
    -------
    Tensor
        Where no name is the same, as `adapted`: the sum stays.
    """
    if not set(theirs) & set(ours):
        return adapted(kernel, wanted)
    mean = kernel[:, : len(theirs)].mean(1)
    found = [kernel[:, theirs.index(n)] if n in theirs else mean for n in ours]
    rest = range(len(ours), wanted.shape[1])  # of a cascade: the stage before
    behind = [kernel[:, len(theirs) + i - len(ours)] for i in rest]
    return torch.stack([*found, *behind], dim=1)


def like_kernel(kernel: Tensor, wanted: Tensor) -> Tensor | None:
    """Return a kernel (K, C, *S) of another size or another number of axes.

    Along an axis where one of them is 1 long, a longer one is summed up, or it is put
    into the middle of a longer one: where an image does not change along that axis,
    they do the same. None: that is not all in which they differ.

    Examples
    --------
    >>> flat = torch.ones(1, 1, 3, 3)
    >>> like_kernel(flat, torch.zeros(1, 1, 3, 3, 3)).sum((-2, -1)).flatten()
    tensor([0., 9., 0.])
    """
    if kernel.dim() == wanted.dim() - 1 > 2:
        kernel = kernel.unsqueeze(2)
    if kernel.dim() != wanted.dim() or kernel.shape[:2] != wanted.shape[:2]:
        return None
    for axis in range(2, wanted.dim()):
        has, needs = kernel.shape[axis], wanted.shape[axis]
        if has == needs:
            continue
        if needs == 1:
            kernel = kernel.sum(axis, keepdim=True)
        elif has == 1 and needs % 2:
            shape = [*kernel.shape]
            shape[axis] = needs
            wider = kernel.new_zeros(shape)
            wider.narrow(axis, needs // 2, 1).copy_(kernel)
            kernel = wider
        else:
            return None
    return kernel


def rows_by_name(
    given: Tensor, own: Tensor, theirs: Sequence[str], ours: Sequence[str]
) -> tuple[Tensor, int]:
    """Return weights of outputs (K, ...) with rows of the same names taken over.

    Parameters
    ----------
    given, own : Tensor
        That there are, for the outputs ``theirs``; and as they were made, for ``ours``.
    theirs, ours : sequence of str
        Names of outputs.

    Returns
    -------
    Tensor, int
        As ``own``, and how many rows were taken.
    """
    made, taken = own.clone(), 0
    for row, name in enumerate(ours):
        if name in theirs:
            made[row] = given[list(theirs).index(name)]
            taken += 1
    return made, taken
