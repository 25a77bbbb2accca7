"""A dense conditional random field: neighbors that look alike get the same class.

Every two voxels of a window pull each other towards the same class, by how near they
are, and by how near and how alike their intensities are [1]_. Nothing is learned: the
marginals are found by mean field, from the outputs of a network.

The field of the paper has a window as large as the image, and approximates its sums;
here the window is small, and sums are exact. So an image can be cut into blocks with
margins that are wide enough for the result to be that of the whole.

Legend: K classes, C channels, S spatial shape, D number of axes.

References
----------
.. [1] Kraehenbuehl, Koltun, "Efficient inference in fully connected CRFs with Gaussian
   edge potentials", NeurIPS 2011. arXiv:1210.5644
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import PlanError
from autoseg.geometry.mapped import zeros

Array = NDArray[Any]
Floats = NDArray[np.float32]
Index = tuple[slice, ...]

LEVELS = 255  # of outputs that are kept in 8 bits
AT_ONCE = 2**28  # bytes that a block takes, unless its margins alone take more
KEPT = 3  # arrays of K classes that are there at once
BESIDE = 8  # arrays of one channel beside those


@dataclass(frozen=True, kw_only=True)
class DenseCrf:
    """How strongly voxels pull each other.

    Parameters
    ----------
    near, alike : float
        Weights of the two kernels: of places, and of places and intensities.
    near_deviation, alike_deviation : float
        Of the Gaussians of places, in edges of a voxel along its finest axis.
    contrast : float
        Deviation of the Gaussian of intensities, in standard deviations of the image's
        channel.
    reach : int
        Half the edge of the window, in edges of a voxel along its finest axis.
    steps : int
        Of the mean field.
    """

    near: float = 1.0
    alike: float = 3.0
    near_deviation: float = 1.5
    alike_deviation: float = 4.0
    contrast: float = 0.3
    reach: int = 4
    steps: int = 5

    def __post_init__(self) -> None:
        positive = ("near_deviation", "alike_deviation", "contrast", "reach", "steps")
        for name in positive:
            if not 0 < getattr(self, name) < math.inf:
                raise PlanError(f"{name} is {getattr(self, name)}, not above 0")
        for name in ("near", "alike"):
            if not 0 <= getattr(self, name) < math.inf:
                raise PlanError(f"{name} is {getattr(self, name)}, which is below 0")

    def margin(self, spacing: Sequence[float]) -> int:
        """Return how many rows of the first axis a block has to see around it.

        Each step hears of one window more, and the window's own sums of another.
        """
        return (self.steps + 1) * _edges(self.reach, spacing)[0]


def refined(
    arrays: Sequence[Any], image: Any, spacing: Sequence[float], crf: DenseCrf
) -> Array:
    """Return outputs as the field changes them, block by block.

    Parameters
    ----------
    arrays : sequence of array of uint8, shape (K, *S)
        Outputs of each model, of which the mean counts; anything that takes slices.
    image : array of numbers, shape (C, *S)
        On the same grid; anything that takes slices.
    spacing : sequence of float, length D
        Edge of a voxel.
    crf : DenseCrf
        The field.

    Returns
    -------
    ndarray of uint8, shape (K, *S)
        In a file, if it is large.
    """
    shape = tuple(arrays[0].shape)
    found = zeros(shape, np.uint8)
    scales = [_scale(image, channel) for channel in range(image.shape[0])]
    margin = crf.margin(spacing)
    for low, high in _blocks(shape, image.shape[0], margin):
        first, last = max(0, low - margin), min(shape[1], high + margin)
        rows = slice(first, last)
        means = sum(np.asarray(array[:, rows], np.float32) for array in arrays)
        shares: Floats = np.divide(means, LEVELS * len(arrays), dtype=np.float32)
        seen = np.stack(
            [
                (np.asarray(image[channel : channel + 1, rows], np.float32)[0] - m) / s
                for channel, (m, s) in enumerate(scales)
            ]
        )
        marginals = mean_field(shares, seen, spacing, crf)
        inner = marginals[:, low - first : high - first]
        found[:, low:high] = np.rint(inner * LEVELS)
    return found


def mean_field(
    shares: Floats, image: Floats, spacing: Sequence[float], crf: DenseCrf
) -> Floats:
    """Return the marginals of a field.

    Parameters
    ----------
    shares : ndarray of float32, shape (K, *S)
        What the network says: probabilities.
    image : ndarray of float32, shape (C, *S)
        Intensities, in standard deviations.
    spacing : sequence of float, length D
        Edge of a voxel.
    crf : DenseCrf
        The field.

    Returns
    -------
    ndarray of float32, shape (K, *S)
        Probabilities; of equal ones the network's order stays.
    """
    unary = np.log(np.maximum(shares, 0.5 / LEVELS), dtype=np.float32)
    pairs = _Pairs(image, spacing, crf)
    marginals = _normalized(unary)
    for _ in range(crf.steps):
        heard = unary.copy()
        for weights, here, there in pairs:
            for one, said in zip(heard, marginals, strict=True):
                one[here] += weights * said[there]
                one[there] += weights * said[here]
        marginals = _normalized(heard)
    return marginals


class _Pairs:
    """Weights of all pairs of voxels in a window, offset by offset.

    Each kernel is divided by the roots of its sums around both voxels, so that a voxel
    hears about as much at the border as anywhere, and two hear the same of each other.
    """

    def __init__(self, image: Floats, spacing: Sequence[float], crf: DenseCrf) -> None:
        self._image, self._crf = image, crf
        finest = min(spacing)
        edges = [edge / finest for edge in spacing]
        self._offsets = []
        for offset in _half_window(_edges(crf.reach, spacing)):
            apart = sum((n * edge) ** 2 for n, edge in zip(offset, edges, strict=True))
            found = _overlap(offset, image.shape[1:])
            if found is not None:
                self._offsets.append((apart, *found))
        sums = np.zeros((2, *image.shape[1:]), np.float32)
        for near, alike, here, there in self._kernels():
            for place in (here, there):
                sums[0][place] += near
                sums[1][place] += alike
        with np.errstate(divide="ignore"):
            self._roots = np.where(sums > 0, 1 / np.sqrt(sums), 0).astype(np.float32)

    def __iter__(self) -> Iterator[tuple[Floats, Index, Index]]:
        crf, (near_roots, alike_roots) = self._crf, self._roots
        for near, alike, here, there in self._kernels():
            weights = alike * crf.alike * alike_roots[here] * alike_roots[there]
            weights += crf.near * near * near_roots[here] * near_roots[there]
            yield weights, here, there

    def _kernels(self) -> Iterator[tuple[float, Floats, Index, Index]]:
        crf = self._crf
        for apart, here, there in self._offsets:
            near = math.exp(-apart / (2 * crf.near_deviation**2))
            contrast = np.zeros(self._image[0][here].shape, np.float32)
            for channel in self._image:
                contrast += (channel[here] - channel[there]) ** 2
            contrast /= -2 * crf.contrast**2
            contrast -= apart / (2 * crf.alike_deviation**2)
            yield near, np.exp(contrast, out=contrast), here, there


def _edges(reach: int, spacing: Sequence[float]) -> list[int]:
    """Return half the window's edge in voxels, along each axis.

    Examples
    --------
    >>> _edges(4, (3.0, 1.0))
    [1, 4]
    """
    finest = min(spacing)
    return [int(reach * finest / edge) for edge in spacing]


def _half_window(edges: Sequence[int]) -> list[tuple[int, ...]]:
    """Return one of each two opposite offsets.

    Examples
    --------
    >>> _half_window([0, 2])
    [(0, 1), (0, 2)]
    """
    every = itertools.product(*(range(-edge, edge + 1) for edge in edges))
    return [offset for offset in every if offset > (0,) * len(edges)]


def _overlap(offset: Sequence[int], shape: Sequence[int]) -> tuple[Index, Index] | None:
    """Return the voxels that have one at an offset, and those; None without any."""
    if any(abs(n) >= size for n, size in zip(offset, shape, strict=True)):
        return None
    pairs = list(zip(offset, shape, strict=True))
    here = tuple(slice(max(0, -n), size - max(0, n)) for n, size in pairs)
    there = tuple(slice(max(0, n), size - max(0, -n)) for n, size in pairs)
    return here, there


def _normalized(energies: Floats) -> Floats:
    found: Floats = np.exp(energies - energies.max(axis=0))
    found /= found.sum(axis=0)
    return found


def _scale(image: Any, channel: int) -> tuple[float, float]:
    """Return mean and standard deviation of a channel, read row by row."""
    count, total, squares = 0, 0.0, 0.0
    rows = max(1, AT_ONCE // 8 // max(1, math.prod(image.shape[2:])))
    for low in range(0, image.shape[1], rows):
        part = np.asarray(image[channel : channel + 1, low : low + rows], np.float64)
        count += part.size
        total += float(part.sum())
        squares += float((part**2).sum())
    mean = total / count
    deviation = math.sqrt(max(0.0, squares / count - mean**2))
    return mean, deviation or 1.0


def _blocks(shape: Sequence[int], channels: int, margin: int) -> list[tuple[int, int]]:
    """Cut the first axis of space so that a block with its margins is not too large."""
    row = 4 * math.prod(shape[2:]) * (KEPT * shape[0] + channels + BESIDE)
    step = max(1, margin, AT_ONCE // max(1, row) - 2 * margin)
    return [(low, min(low + step, shape[1])) for low in range(0, shape[1], step)]
