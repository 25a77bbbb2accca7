"""Border and core: three classes, and instances are the cores that borders part."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.representations import REPRESENTATIONS
from autoseg.representations.base import Array, Ids, Representation
from autoseg.representations.maps import (
    depth,
    grown,
    in_order,
    largest_pieces,
    mean_inside,
    numbered,
    shifted,
    sizes,
    without,
)
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head

SHARE = 0.1  # thickness of the border in shortest axes of the median object
MOST = 1 / 3  # ... and in inner radii of the thinnest ones
LEAST_VOXELS = 5.0  # an axis along which objects are thinner has no room for a border


@REPRESENTATIONS.register
class BorderCore(Representation):
    """Background, core and border, as in semantic segmentation.

    The border is drawn where an instance meets another one or the background. Its
    thickness is a number of voxels for each axis, at least one wherever objects are
    thick enough: a thickness in units of length would leave none between the slices
    of a stack that are further apart. Along an axis where they are not, it is drawn
    only where two instances meet, and leaves each of them a core.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.
    thickness : sequence of float, length D, optional
        Of the border along each axis in voxels; 0: no border towards the background
        along it. One by default.
    foreground : float
        Probability from which on a voxel belongs to an instance.
    core : float
        Probability from which on a voxel is a seed.
    least : int
        Voxels of the smallest instance.

    References
    ----------
    .. [1] Isensee et al., the border-core targets of nnU-Net v1's cell tracking tasks,
       described with ParticleSeg3D: Gotkowski et al., 2024.
       doi:10.1016/j.powtec.2023.119286
    """

    order = {"apart": 0, "crowded": 2, "touching": 1}
    tunable = {
        "foreground": (0.3, 0.4, 0.5, 0.6),
        "core": (0.3, 0.4, 0.5, 0.6, 0.7),
        "least": (1, 10, 20, 40, 80),
    }
    filters = {"least": 1}

    def __init__(
        self,
        axes: int,
        thickness: Sequence[float] | None = None,
        foreground: float = 0.5,
        core: float = 0.5,
        least: int = 1,
    ) -> None:
        super().__init__(axes)
        self.thickness = (
            (1.0,) * axes if thickness is None else tuple(thickness)[-axes:]
        )
        self.foreground, self.core, self.least = foreground, core, least

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        spacing = measured["spacing"]
        wanted = min(
            SHARE * measured["shortest_axis"]["p50"],
            MOST * measured["inner_radius"]["p5"],
        )
        return {
            "thickness": [
                0.0 if voxels < LEAST_VOXELS else round(max(1.0, wanted / edge), 2)
                for voxels, edge in zip(measured["voxels_along"], spacing, strict=True)
            ],
            "least": measured["least_voxels"],
        }

    @property
    def heads(self) -> tuple[Head, ...]:
        loss = Choice(name="dice_ce", options={})
        return (Head(name="border_core", channels=3, activation="softmax", loss=loss),)

    def targets(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        """Return 0 for background, 1 for core, 2 for border, int16 (*S)."""
        labels, count = numbered(labels)
        border = np.zeros(labels.shape, bool)
        for offset in _ball(self.thickness):
            other = shifted(labels, offset, -1)
            border |= (labels != other) & (other >= 0)
        thick = (labels > 0) & ~border  # cores, if axes without room do not matter
        for axis, radius in enumerate(self.thickness):
            for step in (-1, 1) if radius < 1 else ():
                other = shifted(labels, np.eye(labels.ndim, dtype=int)[axis] * step, 0)
                border |= (other > 0) & (other != labels)
        cores = np.where(border, 0, labels)
        cores[~largest_pieces(cores, full=False)] = 0
        lost = np.bincount(cores.ravel(), minlength=count + 1) == 0
        lost[0] = False
        if lost.any():
            _find_cores(cores, labels, np.flatnonzero(lost), thick, spacing)
        classes = np.where(cores > 0, 1, np.where(labels > 0, 2, 0))
        return {"border_core": classes.astype(np.int16)}

    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        classes = self.targets(labels, spacing)["border_core"]
        return {"border_core": np.stack([classes == k for k in range(3)]).astype("f4")}

    def decode(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> tuple[Ids, dict[int, float]]:
        from scipy import ndimage
        from skimage.segmentation import watershed

        output = outputs["border_core"]
        inside = 1 - output[0]
        foreground = inside >= max(self.foreground, 1e-6)
        seeds, count = ndimage.label((output[1] >= self.core) & foreground)
        # Where no core reaches the threshold, a whole piece is one instance.
        pieces, _ = ndimage.label(foreground)
        seeded = np.zeros(int(pieces.max(initial=0)) + 1, bool)
        seeded[pieces[seeds > 0]] = True
        alone = (pieces > 0) & ~seeded[pieces]
        seeds = np.where(alone, pieces + count, seeds)
        away = ndimage.distance_transform_edt(seeds == 0, sampling=spacing)
        labels = watershed(away, seeds.astype(np.int32), mask=foreground)
        labels, _ = numbered(labels)
        labels = without(labels, sizes(labels) < self.least)
        labels, _ = in_order(labels)
        sure = mean_inside(labels, inside)
        return labels, {i: float(sure[i]) for i in range(1, len(sure))}

    def amounts(
        self, labels: Ids, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> dict[str, Array]:
        return {"least": sizes(labels)}


def _find_cores(
    cores: Ids, labels: Ids, lost: Array, thick: Array, spacing: Sequence[float]
) -> None:
    """Give a core to instances that have none: too thin, or between two others.

    Where there is no room along some axis, the core is what is thick enough along the
    others and is not beside the core of another one; else it is the deepest voxel.
    """
    from scipy import ndimage

    deep = depth(labels, spacing)
    found = ndimage.find_objects(labels)
    for number in lost.tolist():
        box = grown(found[number - 1], labels.shape)
        mask, near = labels[box] == number, cores[box]
        others = ndimage.binary_dilation((near > 0) & (near != number))
        core = mask & thick[box] & ~others
        if not core.any():
            free = mask & ~others
            free = free if free.any() else mask
            core = free & (deep[box] >= deep[box][free].max())
        pieces, count = ndimage.label(core)
        if count > 1:
            core = pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])
        near[core] = number
        # What is left beside it of another core would join the two.
        near[ndimage.binary_dilation(core) & (near != number)] = 0


def _ball(radii: Sequence[float]) -> list[tuple[int, ...]]:
    """Return the offsets inside an ellipsoid, its center left out."""
    spans = [range(-int(r), int(r) + 1) for r in radii]
    return [
        offset
        for offset in itertools.product(*spans)
        if any(offset)
        and sum((o / r) ** 2 for o, r in zip(offset, radii, strict=True) if r) <= 1
    ]
