"""Rotation, scaling and bending about the center of the patch, in one resampling.

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
from autoseg.augmentations._warp import ROUNDS, Warp
from autoseg.augmentations.base import Augmentation, Context, as_range, uniform
from autoseg.errors import UsageError

LONG = 1.5  # a 2-D patch with longer edges than this is turned by small angles only


class Affine(NamedTuple):
    """A drawn transform of the last axes.

    Parameters
    ----------
    matrix : tuple of tuple of float, shape (D, D)
        From offsets to the center of the patch to those in the source.
    source, patch : tuple of int, length D
        Shapes along these axes.
    warp : Warp or None
        Displacements in the source, added to that.
    """

    matrix: tuple[tuple[float, ...], ...]
    source: tuple[int, ...]
    patch: tuple[int, ...]
    warp: Warp | None = None

    def grid(self, device: torch.device) -> AffineGrid:
        """Return where each voxel of the patch is in the source."""
        return AffineGrid(self.matrix, self.source, self.patch, device, self.warp)


@AUGMENTATIONS.register
class Spatial(Augmentation):
    """Turn, scale and bend, each with a probability of its own.

    Images are interpolated linearly and are 0 outside; labels are those with the
    largest interpolated mask; points move by the inverse. Of a flat patch (see
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
    elastic : float
        Probability of bending. nnU-Net has it switched off; methods for landmarks have
        it on [2]_.
    nodes : int
        Bends along the longest edge of the patch: control points of cubic B-splines are
        as far apart as there are so many on it.
    bend : tuple of float
        Range of the largest displacement of a control point, in parts of their
        distance; at most 0.2, so that nothing is folded.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net: a self-configuring method for deep
       learning-based biomedical image segmentation", Nature Methods 18, 2021,
       supplement. doi:10.1038/s41592-020-01008-z
    .. [2] Payer et al., "Integrating spatial configuration into heatmap regression
       based CNNs for landmark localization", Medical Image Analysis 54, 2019.
       doi:10.1016/j.media.2019.03.007
    """

    def __init__(
        self,
        probability: float = 0.2,
        *,
        angle: float = 30.0,
        small_angle: float = 15.0,
        plane_angle: float = 180.0,
        scale: Sequence[float] = (0.7, 1.4),
        elastic: float = 0.0,
        nodes: int = 5,
        bend: Sequence[float] = (0.0, 0.15),
    ) -> None:
        self.probability = probability
        self.angle = angle
        self.small_angle = small_angle
        self.plane_angle = plane_angle
        self.scale = as_range(scale)
        self.elastic = elastic
        self.nodes = nodes
        self.bend = as_range(bend)
        if not 0 <= elastic <= 1 or nodes < 2 or self.bend[0] < 0 or self.bend[1] > 0.2:
            raise UsageError(
                f"spatial: elastic is {elastic}, nodes {nodes}, bend {self.bend}; give "
                "a probability, 2 or more, and a range within 0 to 0.2."
            )

    def draw(self, rng: np.random.Generator, context: Context) -> Affine | None:
        turns = rng.random() < self.probability
        scales = rng.random() < self.probability
        bends = self.elastic > 0 and rng.random() < self.elastic
        if not turns and not scales and not bends:
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
        warp = None
        if bends:
            step = max(2.0, (max(patch) - 1) / self.nodes)
            seed = int(rng.integers(2**62))
            warp = Warp(seed, step * uniform(rng, self.bend), step)
        return Affine(
            matrix=tuple(tuple(float(v) for v in row) for row in matrix),
            source=_box(matrix, patch, 0.0 if warp is None else warp.reach),
            patch=patch,
            warp=warp,
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
        return parameters.grid(image.device).linear(image)

    def labels(self, labels: Tensor, parameters: Affine) -> Tensor:
        return parameters.grid(labels.device).labels(labels)

    def together(
        self, image: Tensor, labels: Sequence[Tensor], parameters: Affine
    ) -> tuple[Tensor, list[Tensor]]:
        grid = parameters.grid(image.device)
        return grid.linear(image), [grid.labels(one) for one in labels]

    def points(self, points: Tensor, parameters: Affine) -> Tensor:
        dim = len(parameters.patch)
        inverse = np.linalg.inv(np.array(parameters.matrix))
        kind: dict[str, Any] = {"dtype": points.dtype, "device": points.device}
        before = (torch.tensor(parameters.source, **kind) - 1) / 2
        after = (torch.tensor(parameters.patch, **kind) - 1) / 2
        back, inner = torch.tensor(inverse.T, **kind), points[:, -dim:] - before
        moved = inner @ back + after
        if parameters.warp is not None:
            # A voxel y is at A y + d(y): y is where A^-1 (x - d(y)) leads to itself.
            there = torch.isfinite(moved).all(1)
            for _ in range(ROUNDS):
                bent = parameters.warp.at(moved[there], parameters.patch)
                moved[there] = (inner[there] - bent) @ back + after
        return torch.cat((points[:, :-dim], moved), dim=1)


def _rotation(dim: int, i: int, j: int, angle: float) -> np.ndarray:
    """Return the rotation from axis i towards axis j."""
    matrix = np.eye(dim)
    matrix[i, i] = matrix[j, j] = math.cos(angle)
    matrix[i, j], matrix[j, i] = -math.sin(angle), math.sin(angle)
    return matrix


def _box(
    matrix: np.ndarray, patch: Sequence[int], more: float = 0.0
) -> tuple[int, ...]:
    """Return the smallest box about the center that holds the transformed patch.

    It has ``more`` voxels on each side for displacements.

    It is longer or shorter than the patch by an even number, so that the centers of
    both are the same place.
    """
    half = (np.array(patch) - 1) / 2
    reach = np.abs(matrix) @ half + more
    extra = np.ceil(reach - half - 1e-6).astype(int)
    return tuple(int(n) + 2 * int(e) for n, e in zip(patch, extra, strict=True))
