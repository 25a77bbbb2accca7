"""Errors of a previous stage: objects that it did not find.

Legend: N labels, P patch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations.base import Augmentation, Context
from autoseg.geometry.slabs.components import connected


class Removal(NamedTuple):
    """A drawn component of one label.

    Parameters
    ----------
    label : int
        Which mask.
    choice : float
        In [0, 1): which of its small components, as a share of their number.
    """

    label: int
    choice: float


@AUGMENTATIONS.register
class CascadeComponents(Augmentation):
    """Remove one connected component of some labels of the previous stage.

    Parameters
    ----------
    probability : float
        How often.
    per_label : float
        Probability of each label, when it happens.
    largest : float
        Components that fill this share of the patch or more are kept.
    """

    def __init__(
        self,
        probability: float = 0.2,
        *,
        per_label: float = 0.5,
        largest: float = 0.15,
    ) -> None:
        self.probability = probability
        self.per_label = per_label
        self.largest = largest

    def draw(
        self, rng: np.random.Generator, context: Context
    ) -> tuple[Removal, ...] | None:
        count = context.previous_channels
        if not count or rng.random() >= self.probability:
            return None
        removals = tuple(
            Removal(label=int(label), choice=float(rng.random()))
            for label in rng.permutation(count)
            if rng.random() < self.per_label
        )
        return removals or None

    def previous(self, masks: Tensor, parameters: tuple[Removal, ...]) -> Tensor:
        changed = masks.cpu().numpy().copy()
        for label, choice in parameters:
            components = connected(changed[label] != 0)
            sizes = np.bincount(components.ravel())[1:]  # 0 is the background
            small = np.flatnonzero(sizes < self.largest * components.size) + 1
            if small.size:
                lost = small[int(choice * small.size)]
                changed[label][components == lost] = False
        return torch.from_numpy(changed).to(masks.device)
