"""The interface of an augmentation: drawn once, applied to image, labels and points.

Legend: C channels, S spatial shape on entry, P on exit, D axes, L points, N labels of a
previous stage.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from autoseg.errors import UsageError

ANISOTROPIC = 3.0  # as in nnU-Net: patches that are flatter are turned in plane only


@dataclass(frozen=True, kw_only=True)
class Context:
    """What an augmentation may know when it draws.

    Parameters
    ----------
    patch_size : tuple of int, length D
        What the network sees.
    channels : int
        Of the image.
    mirror_axes : tuple of int
        Axes of the patch that may be flipped.
    previous_channels : int
        In a cascade, number of labels of the previous stage but the background.
    """

    patch_size: tuple[int, ...]
    channels: int
    mirror_axes: tuple[int, ...] = ()
    previous_channels: int = 0

    @property
    def dim(self) -> int:
        """Number of axes, D."""
        return len(self.patch_size)

    @property
    def flat(self) -> bool:
        """Whether the first axis is so short that it is no axis to turn about."""
        return self.dim == 3 and max(self.patch_size) / self.patch_size[0] > ANISOTROPIC


class Augmentation(ABC):
    """A random change of a patch, made as ``AUGMENTATIONS[name](**options)``.

    `draw` makes all random decisions, from one generator and in NumPy; the other
    methods only carry them out, so that the same parameters always give the same
    result. They never change the tensors that they are given.

    Attributes
    ----------
    probability : float
        How often it happens; the first option of each, with a default.
    """

    probability: float

    @abstractmethod
    def draw(self, rng: np.random.Generator, context: Context) -> Any | None:
        """Return all random decisions, as an immutable value; None: nothing happens."""

    def source_shape(self, parameters: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape that must go in so that ``shape`` comes out."""
        return shape

    def image(self, image: Tensor, parameters: Any) -> Tensor:
        """Return (C, *P) float32 for an image (C, *S) float32."""
        return image

    def labels(self, labels: Tensor, parameters: Any) -> Tensor:
        """Return (*P) for integer labels (*S); negative: outside of the image."""
        return labels

    def together(
        self, image: Tensor, labels: Sequence[Tensor], parameters: Any
    ) -> tuple[Tensor, list[Tensor]]:
        """Return `image` and `labels` of several maps, sharing what they can share."""
        moved = [self.labels(one, parameters) for one in labels]
        return self.image(image, parameters), moved

    def points(self, points: Tensor, parameters: Any) -> Tensor:
        """Return where points (L, D) go, in voxels; whole numbers are voxel centers."""
        return points

    def mirrors(self, parameters: Any) -> bool:
        """Return whether it makes a mirror image, in which left and right swap."""
        return False

    def previous(self, masks: Tensor, parameters: Any) -> Tensor:
        """Return bool masks (N, *P) of a previous stage's labels, made worse."""
        return masks


Range = tuple[float, float]


def as_range(values: Sequence[float]) -> Range:
    """Return an option that gives a lower and an upper bound.

    Raises
    ------
    UsageError
        If it does not.
    """
    numbers = tuple(float(value) for value in values)
    if len(numbers) != 2 or numbers[0] > numbers[1]:
        raise UsageError(
            f"An augmentation got the range {list(numbers)}; give a lower and an upper "
            "bound, such as [0.7, 1.4]."
        )
    return numbers


def uniform(rng: np.random.Generator, bounds: Range) -> float:
    """Return a number between two bounds."""
    return float(rng.uniform(bounds[0], bounds[1]))


def two_sided(rng: np.random.Generator, bounds: Range) -> float:
    """Return a factor that is below 1 as often as it is above.

    Half of the time it is uniform in (low, 1), else in (max(low, 1), high): nnU-Net's
    rule for brightness, contrast and gamma.
    """
    low, high = bounds
    if low < 1 and rng.random() < 0.5:
        return float(rng.uniform(low, 1))
    return float(rng.uniform(max(low, 1), high))
