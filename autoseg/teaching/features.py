"""Images as a few numbers, by which they can be called alike. Letters: C channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.normalizers import NORMALIZERS
from autoseg.spec.image import Image
from autoseg.spec.plan import Channel

SAMPLES = 100_000  # voxels of a channel that are looked at, evenly spaced
PERCENTILES = (5, 25, 50, 75, 95)
LEAST = 0.05  # standard deviations of training images count as at least so much

Vector = NDArray[np.float64]


def features_of(image: Image, channels: Sequence[Channel]) -> Vector:
    """Return what an image is like: its intensities, as the network sees them; sizes.

    Parameters
    ----------
    image : Image
        As it was read; of a large one, only what is looked at is read.
    channels : sequence of Channel
        Of the plan: how intensities are normalized.

    Returns
    -------
    ndarray of float64, shape (5 C + 2 D,)
        For each channel percentiles, and logarithms of spacing and extent of each axis.
    """
    shape = image.geometry.shape
    dim = len(shape)
    step = max(1, math.ceil((math.prod(shape) / SAMPLES) ** (1 / dim)))
    thin = tuple(slice(None, None, step) for _ in range(dim))
    numbers: list[float] = []
    for index, channel in enumerate(channels):
        values = np.asarray(image.array[(slice(index, index + 1), *thin)], np.float32)
        make: Any = NORMALIZERS[channel.normalizer.name]
        seen = make(**channel.normalizer.options)(values[0], None)
        numbers += np.percentile(seen, PERCENTILES).tolist()
    spacing = np.asarray(image.geometry.spacing, dtype=float)
    extent = spacing * np.asarray(shape)
    return np.array([*numbers, *np.log(spacing), *np.log(extent)], dtype=np.float64)


def distances(
    some: Sequence[Vector],
    others: Sequence[Vector],
    usual: Sequence[Vector] | None = None,
) -> NDArray[np.float64]:
    """Return how far some images are from others.

    Parameters
    ----------
    some, others : sequence of ndarray, N and M of them
        Features.
    usual : sequence of ndarray, optional
        In whose standard deviations differences are; by default of the others.

    Returns
    -------
    ndarray of float64, shape (N, M)
        Root mean square over the features of differences in standard deviations: 1 is
        as far as usual images are from their mean.

    Examples
    --------
    >>> distances([np.array([3.0])], [np.array([0.0]), np.array([2.0])]).tolist()
    [[3.0, 1.0]]
    """
    known = np.stack(list(others))
    deviation = np.stack(list(others if usual is None else usual)).std(axis=0)
    each = np.stack(list(some))[:, None] - known[None]
    each = each / np.maximum(deviation, LEAST)
    return np.asarray(np.sqrt((each**2).mean(axis=2)))
