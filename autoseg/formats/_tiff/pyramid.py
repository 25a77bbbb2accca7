"""Write OME-TIFF in tiles and in several resolutions, as viewers of slides read it.

Smaller copies are SubIFDs of each plane, half as wide and high each time
(https://docs.openmicroscopy.org/ome-model, "OME-TIFF specification", pyramids).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry import mapped
from autoseg.spec.image import Geometry

Array = NDArray[Any]

SMALLEST = 256  # edge of the smallest copy, about
EDGE = 512  # of a tile
MOST = 2**31  # bytes from which on a file needs 64-bit offsets
UNITS = {"um": "µm", "mm": "mm", "px": "pixel"}


def write_pyramid(path: Path, array: Array, axes: str, geometry: Geometry) -> None:
    """Write an array, not atomically.

    Parameters
    ----------
    path : Path
        The file.
    array : ndarray, shape (..., Y, X)
        Whole numbers stay as they are in smaller copies, others are averaged.
    axes : str
        A letter for each axis, such as ``"CZYX"``.
    geometry : Geometry
        Of the file.
    """
    import tifffile

    levels = 0
    while max(array.shape[-2:]) >> levels > SMALLEST:
        levels += 1
    how: dict[str, Any] = {
        "dtype": array.dtype,
        "photometric": "minisblack",
        "compression": "zlib",
        "tile": (EDGE, EDGE),
    }
    with tifffile.TiffWriter(path, ome=True, bigtiff=2 * array.nbytes > MOST) as file:
        file.write(
            _tiles(array, 0),
            shape=array.shape,
            subifds=levels,
            metadata={"axes": axes, **_sizes(geometry)},
            **how,
        )
        for level in range(1, levels + 1):
            plane = tuple(-(-size // 2**level) for size in array.shape[-2:])
            file.write(
                _tiles(array, level),
                shape=(*array.shape[:-2], *plane),
                subfiletype=1,
                metadata=None,
                **how,
            )


def _tiles(array: Array, level: int) -> Iterator[Array]:
    """Yield the tiles of all planes in a resolution, those at the edges filled up."""
    for place in itertools.product(*map(range, array.shape[:-2])):
        plane = _smaller(array[place], level)
        for top in range(0, plane.shape[0], EDGE):
            for left in range(0, plane.shape[1], EDGE):
                part = plane[top : top + EDGE, left : left + EDGE]
                rest = [(0, EDGE - size) for size in part.shape]
                yield np.pad(part, rest) if part.shape != (EDGE, EDGE) else part
        mapped.let_go(array)


def _smaller(plane: Array, level: int) -> Array:
    """Return a plane in a resolution: by single numbers, or by means of blocks."""
    step = 2**level
    if level == 0 or plane.dtype.kind != "f":
        return np.ascontiguousarray(plane[::step, ::step])
    mean = plane.astype(np.float64)
    for axis in (0, 1):
        starts = np.arange(0, plane.shape[axis], step)
        counts = np.diff([*starts, plane.shape[axis]])
        sums = np.add.reduceat(mean, starts, axis=axis)
        mean = sums / (counts[:, None] if axis == 0 else counts)
    return mean.astype(plane.dtype)


def _sizes(geometry: Geometry) -> dict[str, Any]:
    """Return what OME says of the edges of a pixel; nothing where none is known."""
    if geometry.unit == "px" and set(geometry.spacing) == {1.0}:
        return {}
    found: dict[str, Any] = {}
    for letter, edge in zip("ZYX"[-geometry.dim :], geometry.spacing, strict=True):
        found[f"PhysicalSize{letter}"] = edge
        found[f"PhysicalSize{letter}Unit"] = UNITS[geometry.unit]
    return found
