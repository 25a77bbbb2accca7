"""Arrays in an image's own grid that are filled box by box from the network's side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry.orientation import Turn, turn_to
from autoseg.preprocess.placement import Placement

Array = NDArray[Any]


class Canvas:
    """Puts rows of the cropped grid where they belong in the image.

    Cropping, the plan's order of axes and reorientation are undone for each box on its
    way, so that nothing is ever there twice.

    Parameters
    ----------
    target : array, shape (*G) or (K, *G)
        To be filled, in the image's grid G; anything that takes slices, such as a
        NumPy or a blosc2 array.
    placement : Placement
        Of the prepared image.
    convert : callable, optional
        From rows as they are put to rows as they belong in the target.
    """

    def __init__(
        self,
        target: Any,
        placement: Placement,
        convert: Callable[[Array], Any] | None = None,
    ) -> None:
        self.target = target
        self.placement = placement
        self._convert = convert
        dim = len(placement.transpose)
        self._lead = len(target.shape) - dim
        self._back = [int(axis) for axis in np.argsort(placement.transpose)]
        self._turn = Turn(axes=tuple(range(dim)), flips=())
        if placement.orientation is not None:
            self._turn = turn_to(placement.geometry, placement.orientation)

    def put(self, rows: Array, axis: int, start: int) -> None:
        """Fill in rows.

        Parameters
        ----------
        rows : ndarray, shape (*S) or (K, *S) but some rows along ``axis``
            S is the cropped shape, in the plan's order.
        axis : int
            Spatial axis in the plan's order.
        start : int
            First of the rows along it.
        """
        if self._convert is not None:
            rows = np.asarray(self._convert(rows))
        lead, places = self._lead, list(self.placement.box)
        low = places[axis][0] + start
        places[axis] = (low, low + rows.shape[lead + axis])
        turned = [places[axis] for axis in self._back]
        order = [*range(lead), *(lead + axis for axis in self._back)]
        index = (slice(None),) * lead + self._image_box(turned)
        # blosc2 takes contiguous arrays only.
        self.target[index] = np.ascontiguousarray(
            self._turn.undo(rows.transpose(order))
        )

    def _image_box(self, turned: Sequence[tuple[int, int]]) -> tuple[slice, ...]:
        """Return where a box of the turned image is in the image."""
        shape = self.placement.geometry.shape
        box = [slice(0, size) for size in shape]
        for place, (axis, (low, high)) in enumerate(
            zip(self._turn.axes, turned, strict=True)
        ):
            size = shape[axis]
            flipped = place in self._turn.flips
            box[axis] = slice(size - high, size - low) if flipped else slice(low, high)
        return tuple(box)


def cut_out(array: Array, placement: Placement) -> Array:
    """Return what an array in the image's grid has on the cropped one.

    Parameters
    ----------
    array : ndarray, shape (*G)
        In the image's grid.
    placement : Placement
        Of the prepared image.

    Returns
    -------
    ndarray, shape (*S)
        A view, in the plan's order; what `Canvas.put` would put back.
    """
    if placement.orientation is not None:
        array = turn_to(placement.geometry, placement.orientation).apply(array)
    found: Array = array.transpose(placement.transpose)[placement.slices]
    return found
