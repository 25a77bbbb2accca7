"""Gaussian noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations.base import Augmentation, Context, as_range, uniform


class NoiseField(NamedTuple):
    """Drawn noise.

    Parameters
    ----------
    sigma : float
        Standard deviation.
    seed : int
        Of the field. Devices make different fields of one seed.
    """

    sigma: float
    seed: int


@AUGMENTATIONS.register
class Noise(Augmentation):
    """Add noise of one strength to all channels.

    Parameters
    ----------
    probability : float
        How often.
    sigma : tuple of float
        Range of the standard deviation, in units of the normalized image.
    """

    def __init__(
        self, probability: float = 0.1, *, sigma: Sequence[float] = (0.0, 0.1)
    ) -> None:
        self.probability = probability
        self.sigma = as_range(sigma)

    def draw(self, rng: np.random.Generator, context: Context) -> NoiseField | None:
        if rng.random() >= self.probability:
            return None
        sigma = uniform(rng, self.sigma)
        return NoiseField(sigma=sigma, seed=int(rng.integers(2**62)))

    def image(self, image: Tensor, parameters: NoiseField) -> Tensor:
        source = torch.Generator(image.device).manual_seed(parameters.seed)
        field = torch.randn(
            image.shape, generator=source, dtype=image.dtype, device=image.device
        )
        return torch.add(image, field, alpha=parameters.sigma)
