"""Gaussian blur.

Legend: C channels, S spatial shape, D axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations.base import Augmentation, Context, as_range, uniform

Sigmas = tuple[tuple[float, ...] | None, ...]


@AUGMENTATIONS.register
class Blur(Augmentation):
    """Blur some channels, along each axis by a width of its own.

    The kernel ends at about three standard deviations; the image is continued by
    reflection about its outermost voxels.

    Parameters
    ----------
    probability : float
        How often.
    per_channel : float
        Probability of each channel, when it happens.
    sigma : tuple of float
        Range of the standard deviation in voxels.
    """

    def __init__(
        self,
        probability: float = 0.2,
        *,
        per_channel: float = 0.5,
        sigma: Sequence[float] = (0.5, 1.0),
    ) -> None:
        self.probability = probability
        self.per_channel = per_channel
        self.sigma = as_range(sigma)

    def draw(self, rng: np.random.Generator, context: Context) -> Sigmas | None:
        if rng.random() >= self.probability:
            return None
        chosen: Sigmas = tuple(
            tuple(uniform(rng, self.sigma) for _ in range(context.dim))
            if rng.random() < self.per_channel
            else None
            for _ in range(context.channels)
        )
        return chosen if any(chosen) else None

    def image(self, image: Tensor, parameters: Sigmas) -> Tensor:
        result = image.clone()
        for channel, sigmas in enumerate(parameters):
            if sigmas is None:
                continue
            blurred = image[channel]
            for axis, sigma in enumerate(sigmas):
                blurred = _along(blurred, axis, sigma)
            result[channel] = blurred
        return result


def _along(array: Tensor, axis: int, sigma: float) -> Tensor:
    """Return an array (*S) blurred along one axis."""
    size = array.shape[axis]
    # As many voxels to each side as nnU-Net's kernel, the odd number next to
    # 6 sigma + 1/2, has; a short axis cannot be reflected further than its length.
    reach = min(math.floor(3 * sigma + 0.25), size - 1)
    if reach < 1:
        return array
    weights = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(reach + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    padded = torch.cat(
        (
            array.narrow(axis, 1, reach).flip(axis),
            array,
            array.narrow(axis, size - 1 - reach, reach).flip(axis),
        ),
        dim=axis,
    )
    result = array * (weights[0] / total)
    for step, weight in enumerate(weights[1:], start=1):
        for start in (reach - step, reach + step):
            result.add_(padded.narrow(axis, start, size), alpha=weight / total)
    return result
