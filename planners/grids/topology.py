"""Strides and kernels of a U-Net, from the spacing and size of its patch."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

MIN_EDGE = 4  # voxels along an axis at the bottom, as in nnU-Net
FACTOR = 2  # axes within this factor of spacing count as equally fine


@dataclass(frozen=True, kw_only=True)
class Topology:
    """How a U-Net gets from its patch to its bottleneck.

    Parameters
    ----------
    patch_size : tuple of int, length D
        The patch, padded to a multiple of ``divisors``.
    strides : tuple of tuple of int, shape (stages, D)
        Downsampling in front of each stage; the first is all 1.
    kernels : tuple of tuple of int, shape (stages, D)
        Size of the convolution kernels of each stage.
    """

    patch_size: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]
    kernels: tuple[tuple[int, ...], ...]

    @property
    def stages(self) -> int:
        """Number of resolutions."""
        return len(self.strides)

    @property
    def divisors(self) -> tuple[int, ...]:
        """What each edge of the patch must be a multiple of; length D."""
        return tuple(math.prod(axis) for axis in zip(*self.strides, strict=True))

    def shapes(self) -> list[tuple[int, ...]]:
        """Return the spatial shape of each stage's feature maps."""
        shapes, shape = [], self.patch_size
        for stride in self.strides:
            shape = tuple(n // s for n, s in zip(shape, stride, strict=True))
            shapes.append(shape)
        return shapes


def find_topology(
    spacing: Sequence[float],
    patch_size: Sequence[float],
    most_stages: int | None = None,
) -> Topology:
    """Halve the finer axes, step by step, until the feature maps are small.

    An axis is halved while it has at least 8 voxels and is not coarser than twice the
    finest axis that can be halved. A stage's kernel is 1 along axes at least twice as
    coarse as the finest, and 3 once they are not.

    Parameters
    ----------
    spacing : sequence of float, length D
        Edge of a voxel.
    patch_size : sequence of number, length D
        Wanted size of the patch; halves, as medians have them, are allowed.
    most_stages : int, optional
        No more stages than that.

    Returns
    -------
    Topology
        With a patch that is ``patch_size`` rounded up to what can be halved.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net: a self-configuring method for deep
       learning-based biomedical image segmentation", Nature Methods 18, 2021.
       doi:10.1038/s41592-020-01008-z
    """
    return _found(tuple(spacing), tuple(patch_size), most_stages)


@functools.lru_cache(maxsize=2**14)
def _found(
    spacing: tuple[float, ...], patch_size: tuple[float, ...], most_stages: int | None
) -> Topology:
    """Find a topology once: patches shrink through the same sizes again and again."""
    dim = len(spacing)
    edges, current = list(patch_size), list(spacing)
    strides, kernels = [(1,) * dim], []
    kernel = [1] * dim
    while len(strides) != most_stages:
        halved = _axes_to_halve(edges, current)
        if not halved:
            break
        finest = min(current)
        kernel = [
            3 if size == 3 or step / finest < FACTOR else 1
            for size, step in zip(kernel, current, strict=True)
        ]
        kernels.append(tuple(kernel))
        strides.append(tuple(2 if axis in halved else 1 for axis in range(dim)))
        for axis in halved:
            edges[axis] = math.ceil(edges[axis] / 2)
            current[axis] *= 2
    kernels.append((3,) * dim)
    if len(strides) == 1 and most_stages != 1:
        # A patch that cannot be halved: a U-Net has two stages all the same.
        strides.append((1,) * dim)
        kernels.append((3,) * dim)
    divisors = [math.prod(axis) for axis in zip(*strides, strict=True)]
    padded = tuple(
        math.ceil(edge / step) * step
        for edge, step in zip(patch_size, divisors, strict=True)
    )
    return Topology(patch_size=padded, strides=tuple(strides), kernels=tuple(kernels))


def _axes_to_halve(edges: Sequence[float], spacing: Sequence[float]) -> list[int]:
    long = [axis for axis, edge in enumerate(edges) if edge >= 2 * MIN_EDGE]
    if not long:
        return []
    finest = min(spacing[axis] for axis in long)
    fine = [axis for axis in long if spacing[axis] / finest < FACTOR]
    # One axis alone is only halved as long as that leaves more than the least.
    if len(fine) == 1 and edges[fine[0]] < 3 * MIN_EDGE:
        return []
    return fine


def blunt_topology(
    patch_size: Sequence[float],
    divisors: Sequence[int],
    least: Sequence[int] | None = None,
) -> Topology:
    """Return a patch for a network of which only is known what it can divide.

    Parameters
    ----------
    patch_size : sequence of number, length D
        Wanted size of the patch.
    divisors : sequence of int, length D
        What each edge must be a multiple of.
    least : sequence of int, length D, optional
        The smallest edges.

    Returns
    -------
    Topology
        With a patch that is ``patch_size`` rounded up to what the network can take.

    Examples
    --------
    >>> blunt_topology((10, 31), (4, 6), (12, 12)).patch_size
    (12, 36)
    """
    low = divisors if least is None else least
    patch = tuple(
        math.ceil(max(edge, smallest) / step) * step
        for edge, step, smallest in zip(patch_size, divisors, low, strict=True)
    )
    dim = len(patch)
    return Topology(
        patch_size=patch,
        strides=((1,) * dim, tuple(divisors)),
        kernels=((3,) * dim,) * 2,
    )
