"""One case from its own grid to the network's, and results back again.

The order is nnU-Net's: turn and transpose the axes, crop to the nonzero region,
normalize, resample; a plan may say not to crop. What happens up to normalization does
not depend on the configuration, so `normalize_case` is done once and
`Normalized.resample` for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import AutosegError, DatasetError, FormatError
from autoseg.geometry.crop import crop_box, nonzero_mask
from autoseg.geometry.mapped import in_rows, is_mapped
from autoseg.geometry.resample import (
    resample_image,
    resample_labels,
    resampled_shape,
)
from autoseg.normalizers import NORMALIZERS
from autoseg.preprocess.placement import (
    Placement,
    annotation_in_plan_order,
    place,
    to_plan_order,
)
from autoseg.preprocess.reach import must_be_in_reach
from autoseg.spec.annotation import Annotation, as_annotation
from autoseg.spec.configuration import Configuration
from autoseg.spec.image import NONZERO, Image
from autoseg.spec.plan import Plan

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A case on the grid of a configuration.

    Parameters
    ----------
    array : ndarray of float32, shape (C, *S)
        Normalized image, axes in the plan's order.
    annotation : ndarray of int16 or int32, shape S, or Annotation, or None
        Inner labels, ``-1`` for background outside the nonzero region if the plan crops
        to it or a channel is masked; or another annotation on the grid of ``array``,
        such as points in its voxels.
    placement : Placement
        How to go back.
    """

    array: NDArray[np.float32]
    annotation: NDArray[np.integer] | Annotation | None
    placement: Placement


@dataclass(frozen=True, kw_only=True)
class Normalized:
    """A case cropped and normalized, on the grid of its image.

    Parameters
    ----------
    array : ndarray of float32, shape (C, *S)
        Normalized image, axes in the plan's order; may be a view.
    annotation : ndarray of int16 or int32, shape S, or Annotation, or None
        As in `Prepared`, on this grid.
    placement : Placement
        As if nothing were to be resampled.
    """

    array: NDArray[np.float32]
    annotation: NDArray[np.integer] | Annotation | None
    placement: Placement

    def resample(self, configuration: Configuration, exact: bool = False) -> Prepared:
        """Bring the case to the grid of a configuration.

        Parameters
        ----------
        configuration : Configuration
            Gives spacing and resampling. A 2-D configuration sees a volume slice by
            slice: its first axis keeps the image's own spacing.
        exact : bool
            Use the plain library call.

        Returns
        -------
        Prepared
            Of arrays of its own, in C order.

        Raises
        ------
        FormatError
            If it would have a thousand times its voxels.
        """
        old = self.placement.cropped_spacing
        new = (*old[: len(old) - configuration.dim], *configuration.spacing)
        shape = resampled_shape(self.array.shape[1:], old, new)
        must_be_in_reach(self.array.shape[1:], shape, old, new)
        grids = (shape, old, new, configuration.resampling)
        array = resample_image(self.array, *grids, exact=exact)
        annotation = self.annotation
        if annotation is not None:
            annotation = (
                as_annotation(annotation)
                .resized(shape, lambda map: resample_labels(map, *grids, exact=exact))
                .inner
            )
        placement = replace(self.placement, shape=array.shape[1:], spacing=new)
        return Prepared(
            array=array if is_mapped(array) else np.ascontiguousarray(array),
            annotation=annotation,
            placement=placement,
        )


def prepare_image(
    image: Image,
    plan: Plan,
    configuration: str,
    *,
    exact: bool = False,
    annotation: Array | Annotation | None = None,
    overwrite: bool = False,
) -> Prepared:
    """Bring a case to the grid of a configuration of a plan.

    Parameters
    ----------
    image : Image
        As a format read it.
    plan : Plan
        Gives orientation, axis order, normalization and configurations.
    configuration : str
        Name of the configuration.
    exact : bool
        Resample by the plain library call, for the very bits of nnU-Net.
    annotation : ndarray of int, shape S, or Annotation, optional
        Inner label map, or another annotation, on the image's grid.
    overwrite : bool
        The image's array may be changed: saves a copy.

    Returns
    -------
    Prepared
        Array, annotation and the way back.

    Raises
    ------
    FormatError
        If the image has values that are not finite, or channels that the plan does not
        know.
    DatasetError
        If image and annotation have different shapes.
    """
    target = plan.configuration(configuration)
    case = normalize_case(image, plan, annotation, overwrite=overwrite)
    return case.resample(target, exact)


def normalize_case(
    image: Image,
    plan: Plan,
    annotation: Array | Annotation | None = None,
    *,
    overwrite: bool = False,
) -> Normalized:
    """Turn, transpose, crop and normalize a case: all that configurations share.

    Parameters
    ----------
    image : Image
        As a format read it.
    plan : Plan
        Gives orientation, axis order and normalization.
    annotation : ndarray of int, shape S, or Annotation, optional
        Inner label map, or another annotation, on the image's grid.
    overwrite : bool
        The image's array may be changed: saves a copy.

    Returns
    -------
    Normalized
        To be resampled to one configuration after the other.

    Raises
    ------
    FormatError
        If the image has values that are not finite, or channels that the plan does not
        know.
    DatasetError
        If image and annotation have different shapes.
    """
    check_image(image, plan, annotation)
    # A copy in the same memory layout and then views: means are summed in the order
    # of nnU-Net's, which decides about their last bit.
    overwrite = overwrite and image.array.flags.writeable
    own = image.array.astype(np.float32, copy=not overwrite)
    array = to_plan_order(own, image.geometry, plan)
    shape = array.shape[1:]
    box = crop_box(array, plan.crop)
    array = array[(slice(None), *box)]
    inner: NDArray[np.integer] | Annotation | None = None
    mask = None
    masked = any(channel.masked for channel in plan.channels)
    if masked or (annotation is not None and plan.crop == NONZERO):
        mask = nonzero_mask(array)
    if annotation is not None:
        placed = annotation_in_plan_order(annotation, image.geometry, plan)
        there = np.ones(array.shape[1:], dtype=bool) if mask is None else mask
        inner = placed.cropped(box).masked(there).inner
    array = _normalize(array, plan, mask, image)
    placement = place(image.geometry, plan, shape, box)
    return Normalized(array=array, annotation=inner, placement=placement)


def _other_axes(where: Any, shape: Sequence[int], dim: int) -> str:
    """Return what to do about a volume for a plan of pictures, or the reverse."""
    grid = " x ".join(map(str, shape))
    if len(shape) > dim:
        return (
            f"{where} is a volume of {grid} voxels, slices first; the plan is for "
            f"pictures, images of {dim} axes. Save each slice as its own file."
        )
    return (
        f"{where} is a picture of {grid} pixels; the plan is for volumes, images of "
        f"{dim} axes. Save its slices as one stack."
    )


def check_image(
    image: Image, plan: Plan, annotation: Array | Annotation | None = None
) -> None:
    """Raise FormatError or DatasetError if a plan cannot be applied to a case."""
    array, where = image.array, image.path or "the image"
    shape = image.geometry.shape
    if array.shape[1:] != shape or len(shape) != plan.dim or not array.size:
        if array.size and array.shape[1:] == shape:
            raise FormatError(_other_axes(where, shape, plan.dim))
        raise FormatError(
            f"{where} has shape {array.shape[1:]} (geometry: {shape}); the plan is for "
            f"images of {plan.dim} axes with at least one voxel."
        )
    if len(array) != len(plan.channels):
        names = ", ".join(channel.name for channel in plan.channels)
        raise FormatError(
            f"{where} has {len(array)} channels; the plan needs {len(plan.channels)}: "
            f"{names}."
        )
    bad = 0
    if array.dtype.kind not in "iub":
        finite = (
            np.count_nonzero(np.isfinite(rows))
            for channel in array
            for _, rows in in_rows(channel)
        )
        bad = array.size - int(sum(finite))
    if bad:
        raise FormatError(
            f"{where} has {bad} of {array.size} values that are NaN, infinite "
            "or beyond 3.4e38. Replace them in the file, for example by 0."
        )
    grid = shape if annotation is None else as_annotation(annotation).shape
    if tuple(grid) != shape:
        raise DatasetError(
            f"{where} has shape {shape}, its annotation {grid}; "
            "both must be on one grid."
        )


def _normalize(
    array: Array, plan: Plan, mask: NDArray[np.bool_] | None, image: Image
) -> Array:
    """Normalize each channel in place, inside the mask where the plan says so."""
    for index, channel in enumerate(plan.channels):
        choice = channel.normalizer
        normalizer = NORMALIZERS[choice.name](**choice.options)
        values = array[index]
        with named(image, channel.name):
            normalized = normalizer(values, mask if channel.masked else None)
        if normalized is not values:
            values[...] = normalized
    return array


@contextmanager
def named(image: Image, channel: str) -> Iterator[None]:
    """Say in errors of a normalizer which channel of which file is meant."""
    try:
        yield
    except AutosegError as error:
        raise type(error)(
            f"{image.path or 'the image'}, channel {channel!r}: {error}"
        ) from None
