"""Contrast: each channel's distance to its mean by a factor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations.base import Augmentation, Context, as_range, two_sided


@AUGMENTATIONS.register
class Contrast(Augmentation):
    """Stretch or squeeze each channel about its mean, inside its own range.

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
        result = torch.empty_like(image)
        for channel, factor, out in zip(image, parameters, result, strict=True):
            low, high = torch.aminmax(channel)
            mean = channel.mean()
            torch.sub(channel, mean, out=out)
            out.mul_(factor).add_(mean).clamp_(low, high)
        return result
