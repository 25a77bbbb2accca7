"""Large images that stay in their file and are normalized where they are looked at.

Letters: C channels, S spatial shape.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry.crop import crop_box
from autoseg.geometry.mapped import file_turn, in_rows, is_mapped, let_go
from autoseg.geometry.slabs.holes import nonzero_mask_of
from autoseg.normalizers import NORMALIZERS
from autoseg.normalizers.base import Change, NormalizerInPieces, Stretches
from autoseg.preprocess.case import (
    Normalized,
    Prepared,
    check_image,
    named,
    normalize_case,
    prepare_image,
)
from autoseg.preprocess.placement import annotation_in_plan_order, place, to_plan_order
from autoseg.spec.annotation import Annotation
from autoseg.spec.arrays.windowed import Box, Windowed
from autoseg.spec.image import NONZERO, Image
from autoseg.spec.plan import Plan

Array = NDArray[Any]

AT_MOST = 2**26  # bytes that are looked at before they are let go
PAGE = 4096  # bytes: of a map there are whole pages in memory

log = logging.getLogger(__name__)


class Later:
    """An image (C, *S) whose parts become float32 and normalized when they are read.

    A source of `autoseg.spec.arrays.windowed.Windowed`.

    Parameters
    ----------
    array : ndarray or Windowed, shape (C, *S)
        In any type, in a file.
    changes : sequence of callable, length C
        Normalize a part of each channel in place.
    masks : sequence of ndarray of bool or None, length C
        Where; None: everywhere.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self,
        array: Any,
        changes: Sequence[Callable[[Array], object]],
        masks: Sequence[Any],
    ) -> None:
        self._array = array
        self._how = list(zip(changes, masks, strict=True))
        self._seen = 0
        self.shape = tuple(array.shape)

    def read(self, box: Box) -> NDArray[np.float32]:
        """Return a box of some channels, normalized."""
        part = np.array(self._array[box], dtype=np.float32, order="C")
        for channel, (change, mask) in zip(part, self._how[box[0]], strict=True):
            if mask is None:
                change(channel)
                continue
            inside = np.asarray(mask[box[1:]])
            values = channel[inside]
            if len(values):
                change(values)
                channel[inside] = values
        self._seen += touched_bytes(box, self.shape, self._array.dtype.itemsize)
        if self._seen > AT_MOST:
            self.let_go()
        return part

    def let_go(self) -> None:
        """Forget what was read."""
        self._seen = 0
        for array in (self._array, *(mask for _, mask in self._how)):
            if array is not None:
                let_go(array)


def touched_bytes(box: Box, shape: Sequence[int], itemsize: int) -> int:
    """Return how many bytes of pages a box of a mapped array is in, about.

    Parameters
    ----------
    box : tuple of slice
        With start and stop, one for each axis.
    shape : sequence of int
        Of the array, which lies in its file in this order.
    itemsize : int
        Bytes of a number.
    """
    runs, length, step = 1, itemsize, itemsize
    for part, size in zip(reversed(box), reversed(shape), strict=True):
        count = part.stop - part.start
        if runs == 1 and step - length <= PAGE:  # what is between is on their pages
            length += (count - 1) * step
        else:
            runs *= count
        step *= size
    return runs * (length + PAGE)


def normalize(
    image: Image, plan: Plan, annotation: Array | Annotation | None = None
) -> Normalized:
    """Turn, transpose, crop and normalize a case, in its file if that can be.

    Parameters
    ----------
    image, plan, annotation
        See `autoseg.preprocess.case.normalize_case`.

    Returns
    -------
    Normalized
        Its arrays are in memory, or `Windowed` with the same values.
    """
    later = normalize_later(image, plan, annotation)
    return later or normalize_case(image, plan, annotation)


def prepare(
    image: Image,
    plan: Plan,
    configuration: str,
    *,
    exact: bool = False,
    overwrite: bool = False,
) -> Prepared:
    """Bring an image to the network's grid, in its file if that can be.

    Parameters
    ----------
    image, plan, configuration, exact, overwrite
        See `autoseg.preprocess.case.prepare_image`. Exact results are made in memory.

    Returns
    -------
    Prepared
        Its array is an ndarray, or a `Windowed` of the same shape.
    """
    later = None if exact else prepare_later(image, plan, configuration)
    return later or prepare_image(
        image, plan, configuration, exact=exact, overwrite=overwrite
    )


def prepare_later(image: Image, plan: Plan, configuration: str) -> Prepared | None:
    """Bring an image to the network's grid without a copy of it in memory.

    Parameters
    ----------
    image : Image
        As a format read it.
    plan : Plan
        Gives orientation, axis order and normalization.
    configuration : str
        Name of the configuration.

    Returns
    -------
    Prepared or None
        Its array is a `Windowed`, or in a file if it had to be resampled. None where
        `normalize_later` gives none.

    Raises
    ------
    FormatError
        See `autoseg.preprocess.case.prepare_image`.
    """
    later = normalize_later(image, plan)
    return None if later is None else later.resample(plan.configuration(configuration))


def normalize_later(
    image: Image, plan: Plan, annotation: Array | Annotation | None = None
) -> Normalized | None:
    """Turn, transpose, crop and normalize a case that stays in its file.

    Parameters
    ----------
    image, plan, annotation
        See `autoseg.preprocess.case.normalize_case`.

    Returns
    -------
    Normalized or None
        Its array is a `Windowed`. None where `normalize_case` has to be asked: the
        image is in memory anyway, or a normalizer does not work in pieces.

    Raises
    ------
    FormatError, DatasetError
        See `autoseg.preprocess.case.normalize_case`.
    """
    if not is_mapped(image.array):
        return None
    made = [
        NORMALIZERS[channel.normalizer.name](**channel.normalizer.options)
        for channel in plan.channels
    ]
    normalizers = [one for one in made if isinstance(one, NormalizerInPieces)]
    if len(normalizers) < len(made):
        names = ", ".join(
            channel.normalizer.name
            for channel, one in zip(plan.channels, made, strict=True)
            if not isinstance(one, NormalizerInPieces)
        )
        log.warning("%s is read as a whole: %s needs all of it.", image.path, names)
        return None
    check_image(image, plan, annotation)
    array = to_plan_order(image.array, image.geometry, plan)
    shape = array.shape[1:]
    box = crop_box(array, plan.crop)
    array = array[(slice(None), *box)]
    masked = any(channel.masked for channel in plan.channels)
    mask = None
    if masked or (annotation is not None and plan.crop == NONZERO):
        mask = nonzero_mask_of(array)
    inner: Any = None
    if annotation is not None:
        placed = annotation_in_plan_order(annotation, image.geometry, plan)
        there = np.broadcast_to(np.True_, array.shape[1:]) if mask is None else mask
        inner = placed.cropped(box).masked(there).inner
    return Normalized(
        array=_normalized(array, plan, normalizers, mask, image),
        annotation=inner,
        placement=place(image.geometry, plan, shape, box),
    )


def _normalized(
    array: Any,
    plan: Plan,
    normalizers: Sequence[NormalizerInPieces],
    mask: Any,
    image: Image,
) -> Any:
    """Return the image normalized, read in the order of its file."""
    turn = file_turn(array, array.ndim - 1)
    filed, changes, masks = turn.apply(array), [], []
    inside = None if mask is None else turn.apply(mask)
    for index, channel in enumerate(plan.channels):
        own = mask if channel.masked else None
        with named(image, channel.name):
            if own is None:
                stretches = _stretches(filed[index])
            else:
                stretches = _inside(array[index], own)
            changes.append(_change(normalizers[index], stretches))
        masks.append(None if own is None else inside)
    later: Any = Windowed(Later(filed, changes, masks))
    return turn.undo(later)


def _change(normalizer: NormalizerInPieces, stretches: Stretches) -> Change:
    if not stretches.size:
        return lambda part: None
    return normalizer.in_pieces(stretches)


def _stretches(channel: Any) -> Stretches:
    """Return a channel, in the order of its file, as float32 of one axis."""

    def again() -> Iterator[NDArray[np.float32]]:
        for _, piece in in_rows(channel):
            yield np.array(piece, dtype=np.float32).reshape(-1)

    return Stretches(again, _neighbors(channel), math.prod(channel.shape))


def _neighbors(channel: Any) -> int:
    """Return how many numbers of a view lie beside each other in memory."""
    length, item = 1, 0
    for size, step in zip(channel.shape[::-1], channel.strides[::-1], strict=True):
        item = item or (abs(step) if size > 1 else 0)
        if size > 1 and abs(step) != length * item:
            break
        length *= size
    return length


def _inside(channel: Any, mask: Any) -> Stretches:
    """Return what is in a mask, in the order of the plan, as a copy has it."""

    def again() -> Iterator[NDArray[np.float32]]:
        for rows, piece in in_rows(channel):
            yield np.asarray(piece, dtype=np.float32)[np.asarray(mask[rows])]
            let_go(mask)

    size = sum(int(np.count_nonzero(part)) for _, part in in_rows(mask))
    return Stretches(again, size, size)
