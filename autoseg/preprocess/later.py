"""Large images that stay in their file and are normalized where they are looked at.

Letters: C channels, S spatial shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry.crop import crop_box
from autoseg.geometry.mapped import in_rows, is_mapped, let_go
from autoseg.geometry.resample import resampled_shape
from autoseg.normalizers import NORMALIZERS
from autoseg.normalizers.base import NormalizerInPieces
from autoseg.preprocess.case import (
    Prepared,
    check_image,
    named,
    place,
    prepare_image,
    to_plan_order,
)
from autoseg.spec.image import Image
from autoseg.spec.plan import Plan

Array = NDArray[Any]

AT_MOST = 2**28  # bytes that are looked at before they are let go


class Later:
    """An image (C, *S) whose parts become float32 and normalized when they are read.

    Parameters
    ----------
    array : ndarray, shape (C, *S)
        In any type; a memory map.
    changes : sequence of callable, length C
        Normalize a part of each channel in place.
    """

    def __init__(
        self, array: Array, changes: Sequence[Callable[[Array], object]]
    ) -> None:
        self._array = array
        self._changes = changes
        self._seen = 0
        self.shape = array.shape
        self.nbytes = 0  # of memory

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, index: tuple[slice, ...]) -> NDArray[np.float32]:
        """Return a box of all channels; the first slice takes all of them."""
        part = np.array(self._array[index], dtype=np.float32, order="C")
        for channel, change in zip(part, self._changes, strict=True):
            change(channel)
        self._seen += part.nbytes
        if self._seen > AT_MOST:
            let_go(self._array)
            self._seen = 0
        return part


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
        Its array is an ndarray, or a `Later` of the same shape.
    """
    later = None if exact else prepare_later(image, plan, configuration)
    return later or prepare_image(
        image, plan, configuration, exact=exact, overwrite=overwrite
    )


def prepare_later(image: Image, plan: Plan, configuration: str) -> Prepared | None:
    """Bring an image to the network's grid without a copy of it.

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
        Its array is a `Later`. None where `prepare_image` has to be asked: the image is
        in memory anyway, has to be resampled, or is normalized in a mask or by what
        does not work in pieces.

    Raises
    ------
    FormatError
        See `autoseg.preprocess.case.prepare_image`.
    """
    made = [
        NORMALIZERS[channel.normalizer.name](**channel.normalizer.options)
        for channel in plan.channels
    ]
    normalizers = [one for one in made if isinstance(one, NormalizerInPieces)]
    if (
        not is_mapped(image.array)
        or any(channel.masked for channel in plan.channels)
        or len(normalizers) < len(made)
    ):
        return None
    check_image(image, plan)
    array = to_plan_order(image.array, image.geometry, plan)
    box = crop_box(array, plan.crop)
    placement = place(image.geometry, plan, array.shape[1:], box)
    settings = plan.configuration(configuration)
    old = placement.cropped_spacing
    new = (*old[: len(old) - settings.dim], *settings.spacing)
    if resampled_shape(placement.cropped_shape, old, new) != placement.cropped_shape:
        return None
    array = array[(slice(None), *box)]
    changes = []
    for values, channel, one in zip(array, plan.channels, normalizers, strict=True):
        with named(image, channel.name):
            changes.append(one.in_pieces(_pieces(values)))
    later: Any = Later(array, changes)
    return Prepared(array=later, annotation=None, placement=placement)


def _pieces(channel: Array) -> Iterator[NDArray[np.float32]]:
    """Yield the pieces of a channel as float32 of one axis, as copies."""
    for _, piece in in_rows(channel):
        yield np.array(piece, dtype=np.float32).reshape(-1)
