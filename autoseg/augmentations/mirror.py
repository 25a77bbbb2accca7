"""Mirroring."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from torch import Tensor

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations.base import Augmentation, Context


class Flip(NamedTuple):
    """Drawn axes.

    Parameters
    ----------
    axes : tuple of int
        Spatial axes to flip.
    shape : tuple of int, length D
        Of the patch.
    """

    axes: tuple[int, ...]
    shape: tuple[int, ...]


@AUGMENTATIONS.register
class Mirror(Augmentation):
    """Flip the patch along each of the plan's mirror axes, or not.

    Parameters
    ----------
    probability : float
        Of each axis.
    """

    def __init__(self, probability: float = 0.5) -> None:
        self.probability = probability

    def draw(self, rng: np.random.Generator, context: Context) -> Flip | None:
        axes = tuple(a for a in context.mirror_axes if rng.random() < self.probability)
        return Flip(axes, context.patch_size) if axes else None

    def image(self, image: Tensor, parameters: Flip) -> Tensor:
        return image.flip([axis + 1 for axis in parameters.axes])

    def labels(self, labels: Tensor, parameters: Flip) -> Tensor:
        return labels.flip(parameters.axes)

    def points(self, points: Tensor, parameters: Flip) -> Tensor:
        flipped = points.clone()
        for axis in parameters.axes:
            flipped[:, axis] = parameters.shape[axis] - 1 - points[:, axis]
        return flipped

    def mirrors(self, parameters: Flip) -> bool:
        return len(parameters.axes) % 2 == 1
