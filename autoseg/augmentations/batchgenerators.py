"""Transforms of batchgenerators that change intensities, by their names."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations._libraries import Seeded, as_tuple, draw_seed, numbers_of
from autoseg.augmentations.base import Augmentation, Context
from autoseg.errors import UsageError, did_you_mean
from autoseg.spec.settings.values import option_faults

KEYS = ("data_key", "label_key", "p_per_sample")  # ours: image, labels, probability


@AUGMENTATIONS.register
class BatchGenerators(Augmentation):
    """A transform of batchgenerators on the image; labels and points stay.

    Parameters
    ----------
    probability : float
        How often it happens.
    transform : str
        Name of a class in the library's color, local or noise transforms.
    options : mapping of str to JSON value
        Keyword arguments of that class.

    Raises
    ------
    UsageError
        If there is no such transform, or it has no such option.
    """

    def __init__(
        self,
        probability: float = 0.15,
        transform: str = "GaussianNoiseTransform",
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.probability = probability
        kind = _find(transform)
        given = {key: as_tuple(value) for key, value in (options or {}).items()}
        faults = option_faults(kind, given, given=KEYS)
        if faults:
            raise UsageError(f"{transform}: {'; '.join(faults)}.")
        always = {"p_per_sample": 1.0} if "p_per_sample" in _names(kind) else {}
        self._made = kind(**always, **given)

    def draw(self, rng: np.random.Generator, context: Context) -> Seeded | None:
        if rng.random() >= self.probability:
            return None
        return draw_seed(rng, context)

    def image(self, image: Tensor, parameters: Seeded) -> Tensor:
        batch = image.detach().cpu().numpy()[None].copy()
        with numbers_of(parameters.seed, 0):
            changed = self._made(data=batch)["data"][0]
        return torch.as_tensor(changed, dtype=image.dtype, device=image.device)


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(kind).parameters)


def _find(name: str) -> Any:
    """Return a transform's class by its name."""
    from batchgenerators.transforms import (
        color_transforms,
        local_transforms,
        noise_transforms,
    )

    there = {
        key: value
        for module in (color_transforms, local_transforms, noise_transforms)
        for key, value in vars(module).items()
        if inspect.isclass(value) and value.__module__ == module.__name__
    }
    if name not in there:
        raise UsageError(
            f"batchgenerators has no {name!r} that changes intensities."
            f"{did_you_mean(name, there)} There are: {', '.join(sorted(there))}."
        )
    return there[name]
