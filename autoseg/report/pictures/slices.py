"""Slices of a volume that a page scrolls through, as sheets of small pictures.

Along each axis there is one sheet of the image (JPEG, gray) and one of what is painted
over it (PNG with holes), slice beside slice; the page's script shows one at a time.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.report.pictures.case import CaseView
from autoseg.report.pictures.layers import gray_window
from autoseg.report.pictures.planes import planes_of

Array = NDArray[Any]

EDGE = 144  # pixels of the longest edge of a slice
MOST_SLICES = 40  # along an axis
COLUMNS = 8  # slices beside each other in a sheet
QUALITY = 60  # of JPEG
NAMES = ("axial", "coronal", "sagittal")
PLAIN = ("first axis", "second axis", "third axis")  # where no axis leads to the head


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Slices along one axis.

    Parameters
    ----------
    name : str
        Of the axis.
    image, painted : str
        Sheets as ``data:`` addresses.
    width, height : int
        Pixels of one slice.
    columns : int
        Slices beside each other.
    places : tuple of int
        The number of each slice in the volume, from 0.
    start : int
        Which of them is seen first.
    """

    name: str
    image: str
    painted: str
    width: int
    height: int
    columns: int
    places: tuple[int, ...]
    start: int


def sheets_of(view: CaseView) -> list[Sheet]:
    """Return the slices of a volume along its three axes; none of a flat image.

    Parameters
    ----------
    view : CaseView
        Image and what is painted over it.

    Returns
    -------
    list of Sheet
        Cropped to what is labeled, with a margin, as the picture of the case is.
    """
    focus = view.layer.focus()
    if focus.ndim != 3:
        return []
    planes = planes_of(focus, view.spacing)
    image = view.image[0] if view.image.ndim > 3 else view.image
    low, high = gray_window(image)
    along = NAMES if view.unit == "mm" else PLAIN
    found = []
    for axis, plane in enumerate(planes):
        others = planes[(axis + 1) % 3].index[axis]
        if not isinstance(others, slice):  # a plane lies along the two other axes
            raise ValueError("a plane does not lie along the axis")
        at = plane.index[axis]
        step = view.steps[axis] if view.steps else 1
        places = _chosen(range(others.start, others.stop), int(at))  # type: ignore[arg-type]
        height, width = _size(plane.height, plane.width)
        grays, colors = [], []
        for place in places:
            index = tuple(place if a == axis else p for a, p in enumerate(plane.index))
            cut = _Cut(index, plane.flipped, (height, width))
            gray = np.clip((cut(image) - low) / (high - low), 0, 1)
            grays.append(np.rint(255 * gray).astype(np.uint8))
            colors.append(view.layer.painted(cut))
        found.append(
            Sheet(
                name=along[axis],
                image=_encoded(_joined(grays), "JPEG", "jpeg"),
                painted=_encoded(_joined(colors), "PNG", "png"),
                width=width,
                height=height,
                columns=min(COLUMNS, len(places)),
                places=tuple(step * place for place in places),
                start=places.index(int(at)),  # type: ignore[arg-type]
            )
        )
    return found


@dataclass(frozen=True)
class _Cut:
    """Brings a slice of a volume to the pixels of a sheet, by its nearest voxels."""

    index: tuple[Any, ...]
    flipped: bool
    size: tuple[int, int]

    def __call__(self, array: Array) -> Array:
        plane = array[self.index]
        plane = plane[::-1] if self.flipped else plane
        rows, columns = (
            ((np.arange(new) + 0.5) * old / new).astype(int)
            for new, old in zip(self.size, plane.shape, strict=True)
        )
        return np.asarray(plane[np.ix_(rows, columns)])


def _chosen(places: range, must: int) -> list[int]:
    """Return some of many slices, evenly spread, with one that must be there.

    Examples
    --------
    >>> _chosen(range(4, 8), 5), len(_chosen(range(0, 300), 7))
    ([4, 5, 6, 7], 39)
    """
    step = max(1, math.ceil(len(places) / MOST_SLICES))
    return sorted({*places[::step], must})


def _size(height: float, width: float) -> tuple[int, int]:
    """Return rows and columns of a slice of a physical size."""
    scale = EDGE / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _joined(tiles: Sequence[Array]) -> Array:
    """Return tiles of one shape in rows, the last row filled with nothing."""
    rows = [list(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]
    if len(rows) > 1:
        rows[-1] += [np.zeros_like(tiles[0])] * (COLUMNS - len(rows[-1]))
    return np.concatenate([np.concatenate(row, axis=1) for row in rows])


def _encoded(array: Array, form: str, kind: str) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    options: dict[str, Any] = {"quality": QUALITY} if form == "JPEG" else {}
    Image.fromarray(array).save(buffer, form, optimize=True, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
