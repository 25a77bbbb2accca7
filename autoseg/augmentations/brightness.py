"""Brightness: each channel by a factor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations.base import Augmentation, Context, as_range, two_sided


@AUGMENTATIONS.register
class Brightness(Augmentation):
    """Multiply each channel by a factor.

    Parameters
    ----------
    probability : float
        How often.
    factor : tuple of float
        Range, by the rule of `two_sided`.
    """

    def __init__(
        self, probability: float = 0.15, *, factor: Sequence[float] = (0.75, 1.25)
    ) -> None:
        self.probability = probability
        self.factor = as_range(factor)

    def draw(
        self, rng: np.random.Generator, context: Context
    ) -> tuple[float, ...] | None:
        if rng.random() >= self.probability:
            return None
        return tuple(two_sided(rng, self.factor) for _ in range(context.channels))

    def image(self, image: Tensor, parameters: tuple[float, ...]) -> Tensor:
        factors = torch.tensor(parameters, dtype=image.dtype, device=image.device)
        return image * factors.reshape(-1, *(1,) * (image.dim() - 1))
