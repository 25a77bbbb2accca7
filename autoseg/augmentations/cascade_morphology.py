"""Errors of a previous stage: labels that are too large, too small, ragged or filled.

Legend: N labels, P patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations.base import Augmentation, Context, as_range, uniform

OPERATIONS = ("dilate", "erode", "close", "open")


class Change(NamedTuple):
    """A drawn operation on one label.

    Parameters
    ----------
    label : int
        Which mask.
    operation : str
        One of `OPERATIONS`.
    radius : float
        Of the ball, in voxels.
    """

    label: int
    operation: str
    radius: float


@AUGMENTATIONS.register
class CascadeMorphology(Augmentation):
    """Dilate, erode, close or open some labels of the previous stage with a ball.

    What a label gains, the others lose. It acts on the labels in a random order.

    Parameters
    ----------
    probability : float
        How often.
    per_label : float
        Probability of each label, when it happens.
    radius : tuple of float
        Range of the ball's radius, in voxels.
    """

    def __init__(
        self,
        probability: float = 0.4,
        *,
        per_label: float = 0.5,
        radius: Sequence[float] = (1.0, 8.0),
    ) -> None:
        self.probability = probability
        self.per_label = per_label
        self.radius = as_range(radius)

    def draw(
        self, rng: np.random.Generator, context: Context
    ) -> tuple[Change, ...] | None:
        count = context.previous_channels
        if not count or rng.random() >= self.probability:
            return None
        changes = tuple(
            Change(
                label=int(label),
                operation=OPERATIONS[int(rng.integers(len(OPERATIONS)))],
                radius=uniform(rng, self.radius),
            )
            for label in rng.permutation(count)
            if rng.random() < self.per_label
        )
        return changes or None

    def previous(self, masks: Tensor, parameters: tuple[Change, ...]) -> Tensor:
        changed = masks.cpu().numpy().copy()
        for label, operation, radius in parameters:
            before = changed[label].copy()
            after = _apply(before, operation, radius)
            changed[:, after & ~before] = False
            changed[label] = after
        return torch.from_numpy(changed).to(masks.device)


def _apply(mask: NDArray[np.bool_], operation: str, radius: float) -> NDArray[np.bool_]:
    if operation == "dilate":
        return _dilate(mask, radius)
    if operation == "erode":
        return ~_dilate(~mask, radius)
    if operation == "close":
        return ~_dilate(~_dilate(mask, radius), radius)
    return _dilate(~_dilate(~mask, radius), radius)


def _dilate(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Return all voxels within ``radius`` of the mask: the same as with a ball."""
    from scipy.ndimage import distance_transform_edt

    if not mask.any():
        return mask.copy()
    near: NDArray[np.bool_] = distance_transform_edt(~mask) <= radius
    return near
