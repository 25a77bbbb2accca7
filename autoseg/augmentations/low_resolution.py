"""A coarser acquisition: fewer voxels, interpolated back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor
from torch.nn import functional

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations.base import Augmentation, Context, as_range, uniform

MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


class Coarse(NamedTuple):
    """Drawn resolutions.

    Parameters
    ----------
    zooms : tuple of float or None
        Of each channel; None: left alone.
    flat : bool
        The first axis keeps its resolution.
    """

    zooms: tuple[float | None, ...]
    flat: bool


@AUGMENTATIONS.register
class LowResolution(Augmentation):
    """Take the nearest voxels on a coarser grid, and interpolate them linearly back.

    Parameters
    ----------
    probability : float
        How often.
    per_channel : float
        Probability of each channel, when it happens.
    zoom : tuple of float
        Range of the coarser grid's share of voxels, the same along all axes; the first
        axis of a flat patch (`Context.flat`) is left out.
    """

    def __init__(
        self,
        probability: float = 0.25,
        *,
        per_channel: float = 0.5,
        zoom: Sequence[float] = (0.5, 1.0),
    ) -> None:
        self.probability = probability
        self.per_channel = per_channel
        self.zoom = as_range(zoom)

    def draw(self, rng: np.random.Generator, context: Context) -> Coarse | None:
        if rng.random() >= self.probability:
            return None
        zooms = tuple(
            uniform(rng, self.zoom) if rng.random() < self.per_channel else None
            for _ in range(context.channels)
        )
        if all(zoom is None for zoom in zooms):
            return None
        return Coarse(zooms=zooms, flat=context.flat)

    def image(self, image: Tensor, parameters: Coarse) -> Tensor:
        result = image.clone()
        shape = tuple(image.shape[1:])
        for channel, zoom in enumerate(parameters.zooms):
            if zoom is None:
                continue
            coarse = [max(1, round(size * zoom)) for size in shape]
            if parameters.flat:
                coarse[0] = shape[0]
            few = functional.interpolate(
                image[None, channel : channel + 1], coarse, mode="nearest-exact"
            )
            result[channel] = functional.interpolate(
                few, shape, mode=MODES[len(shape)], align_corners=False
            )[0, 0]
        return result
