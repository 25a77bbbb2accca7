"""Where a prepared array lies in its image: the way there, and the way back.

Letters: S cropped grid, G image's grid, C channels, K outputs of all heads, D axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.geometry.crop import paste
from autoseg.geometry.orientation import orientation_of, turn_to
from autoseg.spec.annotation import Annotation, as_annotation
from autoseg.spec.image import Geometry
from autoseg.spec.json import from_json, to_json
from autoseg.spec.plan import Plan

Array = NDArray[Any]


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


def place(
    geometry: Geometry, plan: Plan, shape: tuple[int, ...], box: Sequence[slice]
) -> Placement:
    """Return the placement of an image that is cropped and not resampled.

    Parameters
    ----------
    geometry : Geometry
        Of the image.
    plan : Plan
        Gives orientation and axis order.
    shape : tuple of int, length D
        Of the image in the plan's order.
    box : sequence of slice, length D
        What is cut out of that.

    Returns
    -------
    Placement
        The way back.
    """
    spacing = _spacing_in_plan_order(geometry, plan)
    cropped = tuple(part.stop - part.start for part in box)
    return Placement(
        geometry=geometry,
        orientation=_turned_to(geometry, plan),
        transpose=plan.transpose,
        box=tuple((part.start, part.stop) for part in box),
        shape_before_crop=shape,
        cropped_shape=cropped,
        shape=cropped,
        cropped_spacing=spacing,
        spacing=spacing,
    )


def _turned_to(geometry: Geometry, plan: Plan) -> str | None:
    """Return the orientation that an image has to be turned to; None: it lies so."""
    if orientation_of(geometry) in (None, plan.orientation):
        return None
    return plan.orientation


def to_plan_order(array: Array, geometry: Geometry, plan: Plan) -> Array:
    """Return a view of (*S) or (C, *S) with spatial axes in the plan's order."""
    if plan.orientation and geometry.dim == 3:
        array = turn_to(geometry, plan.orientation).apply(array)
    lead = array.ndim - plan.dim
    return array.transpose(*range(lead), *(lead + axis for axis in plan.transpose))


def annotation_in_plan_order(
    annotation: Array | Annotation, geometry: Geometry, plan: Plan
) -> Annotation:
    """Return an inner annotation of an image with the axes in the plan's order."""
    placed = as_annotation(annotation)
    if plan.orientation and geometry.dim == 3:
        placed = placed.turned(turn_to(geometry, plan.orientation))
    return placed.transposed(plan.transpose)


def _spacing_in_plan_order(geometry: Geometry, plan: Plan) -> tuple[float, ...]:
    spacing = geometry.spacing
    if plan.orientation and geometry.dim == 3:
        turn = turn_to(geometry, plan.orientation)
        spacing = tuple(spacing[axis] for axis in turn.axes)
    return tuple(spacing[axis] for axis in plan.transpose)


def restore_labels(labels: Array, placement: Placement, fill: int = 0) -> Array:
    """Bring labels from the cropped grid back to the image's.

    Parameters
    ----------
    labels : ndarray of int, shape ``placement.cropped_shape``
        On the image's own spacing, cropped, axes in the plan's order.
    placement : Placement
        Of the prepared image.
    fill : int
        Label outside the crop.

    Returns
    -------
    ndarray, shape ``placement.geometry.shape``
        In C order, of the dtype of ``labels``.
    """
    return restore_outputs(labels, placement, fill)


def restore_outputs(
    outputs: Array, placement: Placement, fill: float | Sequence[float] = 0.0
) -> Array:
    """Bring outputs from the cropped grid back to the image's.

    Parameters
    ----------
    outputs : ndarray, shape (*S) or (K, *S) with S = ``placement.cropped_shape``
        On the image's own spacing, cropped, axes in the plan's order.
    placement : Placement
        Of the prepared image.
    fill : float or sequence of float, length K
        Outputs outside the crop, one for all heads or one for each.

    Returns
    -------
    ndarray, shape (*G) or (K, *G) with G = ``placement.geometry.shape``
        In C order, of the dtype of ``outputs``.
    """
    dim = len(placement.transpose)
    if outputs.shape[-dim:] != placement.cropped_shape:
        raise UsageError(
            f"an array of shape {outputs.shape} does not end in the cropped shape "
            f"{placement.cropped_shape}; resample it to that first."
        )
    whole = paste(outputs, placement.slices, placement.shape_before_crop, fill)
    lead = whole.ndim - dim
    back = np.argsort(placement.transpose)
    whole = whole.transpose(*range(lead), *(lead + int(axis) for axis in back))
    if placement.orientation:
        whole = turn_to(placement.geometry, placement.orientation).undo(whole)
    return np.ascontiguousarray(whole)
