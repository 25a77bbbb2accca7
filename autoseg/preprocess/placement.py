"""Where a prepared array lies in its image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autoseg.spec.image import Geometry
from autoseg.spec.json import from_json, to_json


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a prepared array lies in its image: everything needed to go back.

    Parameters
    ----------
    geometry : Geometry
        Of the image, as it was read.
    orientation : str or None
        Orientation that it was turned to; None: not turned.
    transpose : tuple of int, length D
        Spatial axes of the turned image in the plan's order.
    box : tuple of (int, int), length D
        First voxel inside the crop and first beyond it, along each axis in the plan's
        order.
    shape_before_crop, cropped_shape, shape : tuple of int, length D
        Voxels in the plan's order: before and after cropping, and after resampling.
    cropped_spacing, spacing : tuple of float, length D
        Edge of a voxel in the plan's order, before and after resampling.
    """

    geometry: Geometry
    orientation: str | None
    transpose: tuple[int, ...]
    box: tuple[tuple[int, int], ...]
    shape_before_crop: tuple[int, ...]
    cropped_shape: tuple[int, ...]
    shape: tuple[int, ...]
    cropped_spacing: tuple[float, ...]
    spacing: tuple[float, ...]

    @property
    def slices(self) -> tuple[slice, ...]:
        """The crop box as an index."""
        return tuple(slice(start, stop) for start, stop in self.box)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return dict(to_json(self))

    @classmethod
    def from_json(cls, raw: Any, where: str = "placement") -> Placement:
        """Build it from JSON values; raises PlanError with every fault at once."""
        return from_json(cls, raw, where)
