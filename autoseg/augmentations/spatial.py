"""Rotation and scaling about the center of the patch, in one resampling.

Legend: P patch shape, S source shape, D axes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations._affine import AffineGrid
from autoseg.augmentations._base import Augmentation, Context, as_range, uniform

LONG = 1.5  # a 2-D patch with longer edges than this is turned by small angles only


class Affine(NamedTuple):
    """A drawn transform of the last axes.

    Parameters
    ----------
    matrix : tuple of tuple of float, shape (D, D)
        From offsets to the center of the patch to those in the source.
    source, patch : tuple of int, length D
        Shapes along these axes.
    """

    matrix: tuple[tuple[float, ...], ...]
    source: tuple[int, ...]
    patch: tuple[int, ...]


@AUGMENTATIONS.register
class Spatial(Augmentation):
    """Turn and scale, each with a probability of its own.

    Images are interpolated linearly and are 0 outside; labels are those with the
    largest interpolated mask; points move by the inverse matrix. Of a flat patch (see
    `Context.flat`) only the plane is turned and scaled, slice by slice. Angles are in
    index space, as in nnU-Net: spacing is not looked at.

    Parameters
    ----------
    probability : float
        Of turning, and of scaling.
    angle : float
        Largest angle about each axis of a volume, in degrees. In a plane it is
        ``plane_angle``, or ``small_angle`` where the patch is longer than 1.5 times its
        width, if that is less.
    small_angle, plane_angle : float
        See ``angle``.
    scale : tuple of float
        Range of the scale, drawn once for all axes. Above 1, objects get smaller.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net: a self-configuring method for deep
       learning-based biomedical image segmentation", Nature Methods 18, 2021,
       supplement. doi:10.1038/s41592-020-01008-z
    """

    def __init__(
        self,
        probability: float = 0.2,
        *,
        angle: float = 30.0,
        small_angle: float = 15.0,
        plane_angle: float = 180.0,
        scale: Sequence[float] = (0.7, 1.4),
    ) -> None:
        self.probability = probability
        self.angle = angle
        self.small_angle = small_angle
        self.plane_angle = plane_angle
        self.scale = as_range(scale)

    def draw(self, rng: np.random.Generator, context: Context) -> Affine | None:
        turns = rng.random() < self.probability
        scales = rng.random() < self.probability
        if not turns and not scales:
            return None
        patch = context.patch_size[1:] if context.flat else context.patch_size
        matrix = np.eye(len(patch))
        if turns:
            limit = math.radians(self._limit(context))
            if len(patch) == 2:
                planes = [(0, 1)]
            else:
                planes = [(1, 2), (2, 0), (0, 1)]
            for i, j in planes:
                matrix = (
                    _rotation(len(patch), i, j, rng.uniform(-limit, limit)) @ matrix
                )
        if scales:
            matrix = matrix * uniform(rng, self.scale)
        return Affine(
            matrix=tuple(tuple(float(v) for v in row) for row in matrix),
            source=_box(matrix, patch),
            patch=patch,
        )

    def _limit(self, context: Context) -> float:
        if context.dim == 3 and not context.flat:
            return self.angle
        plane = context.patch_size[-2:]
        if context.dim == 2 and max(plane) / min(plane) > LONG:
            return min(self.small_angle, self.plane_angle)
        return self.plane_angle

    def source_shape(
        self, parameters: Affine, shape: tuple[int, ...]
    ) -> tuple[int, ...]:
        return (*shape[: len(shape) - len(parameters.source)], *parameters.source)

    def image(self, image: Tensor, parameters: Affine) -> Tensor:
        return AffineGrid(*parameters, image.device).linear(image)

    def labels(self, labels: Tensor, parameters: Affine) -> Tensor:
        return AffineGrid(*parameters, labels.device).labels(labels)

    def together(
        self, image: Tensor, labels: Sequence[Tensor], parameters: Affine
    ) -> tuple[Tensor, list[Tensor]]:
        grid = AffineGrid(*parameters, image.device)
        return grid.linear(image), [grid.labels(one) for one in labels]

    def points(self, points: Tensor, parameters: Affine) -> Tensor:
        dim = len(parameters.patch)
        inverse = np.linalg.inv(np.array(parameters.matrix))
        kind: dict[str, Any] = {"dtype": points.dtype, "device": points.device}
        before = (torch.tensor(parameters.source, **kind) - 1) / 2
        after = (torch.tensor(parameters.patch, **kind) - 1) / 2
        moved = (points[:, -dim:] - before) @ torch.tensor(inverse.T, **kind) + after
        return torch.cat((points[:, :-dim], moved), dim=1)


def _rotation(dim: int, i: int, j: int, angle: float) -> np.ndarray:
    """Return the rotation from axis i towards axis j."""
    matrix = np.eye(dim)
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[i, j], matrix[j, i] = -math.sin(angle), math.sin(angle)
    return matrix


def _box(matrix: np.ndarray, patch: Sequence[int]) -> tuple[int, ...]:
    """Return the smallest box about the center that holds the transformed patch.

    It is longer or shorter than the patch by an even number, so that the centers of
    both are the same place.
    """
    half = (np.array(patch) - 1) / 2
    reach = np.abs(matrix) @ half
    extra = np.ceil(reach - half - 1e-6).astype(int)
    return tuple(int(n) + 2 * int(e) for n, e in zip(patch, extra, strict=True))
