"""Shapes, spacings and orientations of the cases, and what is common to them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoseg.errors import DatasetError
from autoseg.geometry.crop import crop_box
from autoseg.geometry.orientation import orientation_of, turn_to
from autoseg.spec.image import NONZERO, Geometry, Image
from autoseg.spec.json import from_json, to_json

MOST_CASES = 4096  # shapes and spacings of more cases than that are a sample
SEED = 1234


@dataclass(frozen=True, kw_only=True)
class CaseShape:
    """Extent of one case.

    Parameters
    ----------
    shape : tuple of int, length D
        Voxels after cropping, slowest axis first, as in the file.
    spacing : tuple of float, length D
        Edge of a voxel, in ``unit``.
    unit : str
        ``"mm"``, ``"um"`` or ``"px"``.
    direction : tuple of float, length D * D
        See `Geometry`.
    relative_size : float
        Voxels after cropping / voxels before.
    oriented : bool
        See `Geometry`.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    unit: str
    direction: tuple[float, ...]
    relative_size: float
    oriented: bool = True

    @property
    def geometry(self) -> Geometry:
        """The cropped grid, its origin left out."""
        return Geometry(
            shape=self.shape,
            spacing=self.spacing,
            unit=self.unit,
            direction=self.direction,
            oriented=self.oriented,
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return dict(to_json(self))

    @classmethod
    def from_json(cls, raw: Mapping[str, Any], where: str) -> CaseShape:
        """Build it from what `to_json` gave."""
        return from_json(cls, raw, where)


def measure_shape(image: Image, box: Sequence[slice] | None = None) -> CaseShape:
    """Return the extent of a case after cropping.

    Parameters
    ----------
    image : Image
        All channels of the case. A voxel is inside if any channel is not 0; filling
        holes, as preprocessing does, leaves the box as it is.
    box : sequence of slice, length D, optional
        What is cropped to; by default the nonzero region.

    Returns
    -------
    CaseShape
        On the file's own axes.
    """
    if box is None:
        box = crop_box(image.array, NONZERO)
    shape = tuple(part.stop - part.start for part in box)
    geometry = image.geometry
    return CaseShape(
        shape=shape,
        spacing=geometry.spacing,
        unit=geometry.unit,
        direction=geometry.direction,
        relative_size=math.prod(shape) / math.prod(geometry.shape),
        oriented=geometry.oriented,
    )


@dataclass(frozen=True, kw_only=True)
class Extents:
    """What `pool_shapes` found; fields as in `Fingerprint`."""

    unit: str
    shapes: tuple[tuple[int, ...], ...]
    spacings: tuple[tuple[float, ...], ...]
    relative_size: float
    orientation: str | None
    orientations: dict[str, int]


class Shapes:
    """Gathers the extents of many cases; beyond `MOST_CASES` it keeps a sample.

    Parameters
    ----------
    num_cases : int
        How many there will be. Which of them belong to the sample depends on this
        number and their order only, and each is as likely as any other.
    """

    def __init__(self, num_cases: int) -> None:
        self._kept: list[CaseShape] = []
        self._wanted: set[int] | None = None
        if num_cases > MOST_CASES:
            random = np.random.default_rng(SEED)
            self._wanted = set(
                random.choice(num_cases, MOST_CASES, replace=False).tolist()
            )
        self._count = 0
        self._orientations: Counter[str] = Counter()
        self._units: dict[str, str] = {}
        self._axes: dict[int, str] = {}

    def add(self, case_id: str, shape: CaseShape) -> None:
        """Take note of the next case."""
        orientation = orientation_of(shape.geometry)
        if orientation is not None:
            self._orientations[orientation] += 1
        self._units.setdefault(shape.unit, case_id)
        self._axes.setdefault(len(shape.shape), case_id)
        if self._wanted is None or self._count in self._wanted:
            self._kept.append(shape)
        self._count += 1

    def pooled(self) -> Extents:
        """Return what is common to the cases, turned to one orientation.

        Raises
        ------
        DatasetError
            If there is no case, or units or numbers of axes differ.
        """
        if not self._kept:
            raise DatasetError(
                "there is no training case; put images into imagesTr and annotations "
                "of the same names into labelsTr."
            )
        _must_be_one("axes", self._axes)
        _must_be_one("units of length", self._units)
        orientation = None
        if len(self._orientations) > 1:
            counts = self._orientations
            orientation = min(counts, key=lambda code: (-counts[code], code))
        axes = [_axes(case, orientation) for case in self._kept]
        return Extents(
            unit=next(iter(self._units)),
            shapes=tuple(
                _taken(c.shape, a) for c, a in zip(self._kept, axes, strict=True)
            ),
            spacings=tuple(
                _taken(c.spacing, a) for c, a in zip(self._kept, axes, strict=True)
            ),
            relative_size=float(np.median([c.relative_size for c in self._kept])),
            orientation=orientation,
            orientations=dict(sorted(self._orientations.items())),
        )


def _axes(case: CaseShape, orientation: str | None) -> tuple[int, ...]:
    if orientation is None:
        return tuple(range(len(case.shape)))
    return turn_to(case.geometry, orientation).axes


def _taken(values: Sequence[Any], axes: Sequence[int]) -> tuple[Any, ...]:
    return tuple(values[axis] for axis in axes)


def _must_be_one(what: str, found: Mapping[Any, str]) -> None:
    if len(found) > 1:
        listed = ", ".join(f"{value} in case {case}" for value, case in found.items())
        raise DatasetError(
            f"all cases must have the same {what}, but there are {listed}. Convert "
            "them, or make two data sets."
        )
