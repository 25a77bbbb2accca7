"""Positions and time points of an OME-TIFF: each is a case of its own.

``A.ome.tif/position=P1&time=3`` is the fourth time point of the image P1 in it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError, some_of
from autoseg.formats._tiff.content import Content
from autoseg.spec.foreign.place import place_of

Array = NDArray[Any]

POSITION, TIME = "position", "time"
UNFIT = re.compile(r"[^\w.\-]+")  # for a name of a file


@dataclass(frozen=True)
class Planes:
    """Pages in the order of an image's planes; looks as a series of tifffile does."""

    pages: list[Any]
    shape: tuple[int, ...]

    dataoffset = None

    @property
    def dtype(self) -> Any:
        """Type of the values."""
        return self.pages[0].dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return int(np.prod(self.shape)) * int(self.dtype.itemsize)

    @property
    def keyframe(self) -> Any:
        """The page that says what all are like."""
        return self.pages[0].keyframe

    def asarray(self, out: Any = None) -> Array:
        """Return the values; in ``out``, if it is given."""
        planes = np.stack([page.asarray() for page in self.pages])
        array = planes.reshape(self.shape)
        if out is not None:
            out[...] = array
        return array


def cases_in(file: Any) -> list[dict[str, str]]:
    """Return what to ask of an open file for each image that is a case of its own.

    One that asks for nothing, if it holds one image, or images that are no positions:
    of other axes, sizes or types.
    """
    ome = [one for one in file.series if one.kind == "ome"] if file.is_ome else []
    if not ome or (len(ome) > 1 and not _are_alike(ome)):
        return [{}]
    found = []
    for name, series in positions_of(ome).items():
        times = _length(series.axes, series.shape)
        asked = {POSITION: name} if len(ome) > 1 else {}
        found += [
            asked | ({TIME: str(time)} if times > 1 else {}) for time in range(times)
        ]
    return found


def positions_of(ome: Sequence[Any]) -> dict[str, Any]:
    """Return the images of a file by what is put behind the case's id: names, if all
    have one of their own, else numbers."""
    names = [UNFIT.sub("-", one.name or "").strip("-.") for one in ome]
    if len(set(names)) < len(ome) or not all(names):
        names = [str(number) for number in range(len(ome))]
    return dict(zip(names, ome, strict=True))


def at_position(ome: Sequence[Any], asked: Mapping[str, str], path: Path) -> Any:
    """Return the image that is asked for.

    Parameters
    ----------
    ome : sequence of TiffPageSeries
        Images of the file.
    asked : mapping of str to str
        What the path asks for.
    path : Path
        For messages.

    Raises
    ------
    FormatError
        If nothing is asked for, and there are several; or there is none of that name.
    """
    file, found = place_of(path), positions_of(ome)
    if POSITION in asked:
        if asked[POSITION] not in found:
            raise FormatError(
                f"{file} has no position {asked[POSITION]!r}; there are "
                f"{some_of(list(found))}."
            )
        return found[asked[POSITION]]
    if len(ome) == 1:
        return ome[0]
    listed = ", ".join(
        f"{s.name or '?'} ({' x '.join(map(str, s.shape))})" for s in ome
    )
    first = f"Name one, as in {file.name}/{POSITION}={next(iter(found))}, or save"
    raise FormatError(
        f"{file} holds {len(ome)} images: {listed}. "
        f"{first if _are_alike(ome) else 'Save'} the one that counts as a "
        "file of its own."
    )


def at_time(content: Content, asked: Mapping[str, str], path: Path) -> Content:
    """Return a time point of an image, without that axis.

    Parameters
    ----------
    content : Content
        Of an OME file.
    asked : mapping of str to str
        What the path asks for.
    path : Path
        For messages.

    Raises
    ------
    FormatError
        If there is no such time point.
    """
    times = _length(content.axes, content.shape)
    if TIME not in asked:
        return content
    said = asked[TIME]
    if not said.isdecimal() or int(said) >= times:
        raise FormatError(
            f"{place_of(path)} has no {TIME} {said!r}; they are counted from 0 to "
            f"{times - 1}."
        )
    if "T" not in content.axes:
        return content
    axis = content.axes.index("T")
    pages, page = list(content.parts[0].pages), content.keyframe.shape
    lead = content.shape[: len(content.shape) - len(page)]
    if axis >= len(lead) or len(pages) != math.prod(lead):
        raise FormatError(f"{place_of(path)} has its time points in no order of pages.")
    numbers = np.arange(len(pages)).reshape(lead).take(int(said), axis).ravel()
    shape = (*content.shape[:axis], *content.shape[axis + 1 :])
    return replace(
        content,
        axes=content.axes[:axis] + content.axes[axis + 1 :],
        shape=shape,
        parts=[Planes([pages[number] for number in numbers], shape)],
    )


def _length(axes: str, shape: Sequence[int]) -> int:
    return int(shape[axes.index("T")]) if "T" in axes else 1


def _are_alike(ome: Sequence[Any]) -> bool:
    return len({(one.axes, one.shape, one.dtype) for one in ome}) == 1
