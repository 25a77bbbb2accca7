"""A smooth field of displacements: cubic B-splines over few random numbers.

What images are sampled with and what points are moved with are the same polynomials.

Legend: P patch shape, D axes, G control points along an axis, L points.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

ROUNDS = 50  # of the inverse: each leaves less than 3/4 of the error


class Warp(NamedTuple):
    """A drawn field.

    Parameters
    ----------
    seed : int
        Of the numbers at the control points.
    reach : float
        Largest of them, in voxels; no displacement is larger.
    step : float
        From one control point to the next, in voxels.
    """

    seed: int
    reach: float
    step: float

    def displacements(self, patch: Sequence[int], device: torch.device) -> list[Tensor]:
        """Return the displacement along each axis, float32 of shape (P,), flat."""
        weights = [
            self._weights(torch.arange(size, dtype=torch.float64, device=device), size)
            for size in patch
        ]
        found = []
        for field in self._controls(patch, device):
            for along in reversed(weights):  # the last axis goes, and comes in front
                field = torch.tensordot(along, field, dims=([1], [field.ndim - 1]))
            found.append(field.float().reshape(-1))
        return found

    def at(self, places: Tensor, patch: Sequence[int]) -> Tensor:
        """Return the displacements (L, D) at places (L, D) in voxels of the patch.

        Beyond the patch, they are those of its border.
        """
        weights = [
            self._weights(places[:, axis].double().clamp(0, size - 1), size)
            for axis, size in enumerate(patch)
        ]
        found = []
        for field in self._controls(patch, places.device):
            some = field.expand(len(places), *field.shape)
            for along in weights:
                some = torch.einsum("lg,lg...->l...", along, some)
            found.append(some)
        return torch.stack(found, dim=1).to(places.dtype)

    def _controls(self, patch: Sequence[int], device: torch.device) -> list[Tensor]:
        """Return the numbers at the control points, (*G) for each axis."""
        shape = [math.floor((size - 1) / self.step) + 4 for size in patch]
        rng = np.random.default_rng(self.seed)
        numbers = rng.uniform(-self.reach, self.reach, (len(shape), *shape))
        return list(torch.from_numpy(numbers).to(device))

    def _weights(self, places: Tensor, size: int) -> Tensor:
        """Return the weights (N, G) of the control points at places (N,)."""
        count = math.floor((size - 1) / self.step) + 4
        along = places / self.step
        first = along.floor().clamp(0, count - 4)
        t = along - first
        pieces = (
            (1 - t) ** 3 / 6,
            (3 * t**3 - 6 * t**2 + 4) / 6,
            (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6,
            t**3 / 6,
        )
        weights = torch.zeros((len(places), count), dtype=torch.float64).to(places)
        for number, piece in enumerate(pieces):
            index = first.long()[:, None] + number
            weights.scatter_(1, index, piece[:, None])
        return weights
