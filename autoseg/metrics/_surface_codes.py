"""Codes of the corners that voxels share, and what each code says of the surface there.

See `autoseg.metrics.surface` for what a code is. A corner looks at the voxels of two
rows; so where masks come some rows after the other, the last row is kept.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Slab = tuple[Mask, Mask, Mask | None]
"""Rows of both masks, and of the voxels that count; None: all do."""


def corner_codes(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return the code of each corner: one more of them than voxels on each axis.

    The voxel on the far side along every axis is the highest bit. One axis after the
    other, each pass joins two neighbors' bits.
    """
    codes = np.pad(mask.view(np.uint8), 1)
    for axis in reversed(range(mask.ndim)):
        bits = 2 ** (mask.ndim - 1 - axis)
        low = [slice(None)] * mask.ndim
        high = [slice(None)] * mask.ndim
        low[axis], high[axis] = slice(None, -1), slice(1, None)
        joined = codes[tuple(high)] << bits
        joined |= codes[tuple(low)]
        codes = joined
    return codes


def on_surface(codes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Say which codes have a surface, in an array with as many axes as the masks."""
    full = 2 ** (2**codes.ndim) - 1
    # 0 wraps around to 255, so one comparison finds both "all out" and "all in".
    return np.asarray(codes - np.uint8(1) < full - 1)


@functools.lru_cache(maxsize=2)
def facing_of(dim: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return for each code whether a whole side of the corner is inside, or outside."""
    bits = 2 ** np.arange(2**dim).reshape((2,) * dim)
    sides = [
        int(np.take(bits, end, axis).sum()) for axis in range(dim) for end in (0, 1)
    ]
    codes = np.arange(2 ** (2**dim))
    inside = np.any([codes & side == side for side in sides], axis=0)
    outside = np.any([codes & side == 0 for side in sides], axis=0)
    return inside, outside


@functools.lru_cache(maxsize=64)
def areas_of(spacing: tuple[float, ...]) -> Floats:
    """Return the area of the surface piece of each code, in the unit of the spacing."""
    if len(spacing) == 2:
        return _lengths_2d(*spacing)
    areas = np.zeros(256)
    scale = math.prod(spacing) / np.asarray(spacing)
    for code, normals in enumerate(_triangle_normals()):
        areas[code] = np.linalg.norm(normals * scale, axis=1).sum()
    areas.flags.writeable = False  # it is cached
    return areas


def _lengths_2d(rows: float, columns: float) -> Floats:
    """Return the length of the contour piece of each of 16 codes.

    Bits of a code: 1 upper left, 2 upper right, 4 lower left, 8 lower right.
    """
    half = math.hypot(rows, columns) / 2  # cuts one corner off
    lengths = np.full(16, half)
    lengths[[0, 15]] = 0
    lengths[[0b0011, 0b1100]] = columns  # upper or lower two: runs along a row
    lengths[[0b0101, 0b1010]] = rows
    lengths[[0b1001, 0b0110]] = 2 * half  # two opposite corners
    lengths.flags.writeable = False
    return lengths


@functools.lru_cache(maxsize=1)
def _triangle_normals() -> tuple[Floats, ...]:
    """Return the normals of the triangles of each code; their lengths are areas.

    Marching cubes on the eight voxels around a corner, at half the way between inside
    and outside, on a grid of spacing 1. Inside and outside look the same: the fewer of
    the two are cut off, which also settles the ambiguous cases. Normals scale with the
    spacing, so one table serves all.
    """
    from skimage.measure import marching_cubes

    bits = 2 ** np.arange(8).reshape(2, 2, 2)
    table = [np.zeros((0, 3))] * 256
    for code in range(1, 255):
        fewer = code if code.bit_count() <= 4 else 255 - code
        cube = ((fewer & bits) > 0).astype(np.float32)
        vertices, faces, _, _ = marching_cubes(cube, 0.5, method="lorensen")
        a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
        table[code] = np.cross(b - a, c - a) / 2
    return tuple(table)


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """The corners that a surface goes through, in the order of the array.

    Parameters
    ----------
    places : ndarray of int64, shape (N,)
        Numbers of the corners; there is one more of them than voxels on each axis.
    codes, others : ndarray of uint8, shape (N,)
        Their codes in this mask, and in the other one.
    areas : ndarray of float, shape (N,)
        Of the pieces; 0 next to what does not count.
    """

    places: NDArray[np.int64]
    codes: NDArray[np.uint8]
    others: NDArray[np.uint8]
    areas: Floats

    @classmethod
    def joined(cls, parts: Sequence[Pieces]) -> Pieces:
        """Return some pieces behind each other."""
        if len(parts) == 1:
            return parts[0]
        names = ("places", "codes", "others", "areas")
        return cls(**{n: np.concatenate([getattr(p, n) for p in parts]) for n in names})


def surfaces_of(
    slabs: Iterable[Slab], shape: Sequence[int], spacing: Sequence[float]
) -> tuple[Pieces, Pieces]:
    """Return the pieces of the surfaces of two masks.

    Parameters
    ----------
    slabs : iterable of Slab
        Rows along the first axis, without gaps; at least one, if it is empty.
    shape : sequence of int
        Of the masks.
    spacing : sequence of float, length D
        Edge of a voxel along each axis.
    """
    areas = areas_of(tuple(float(edge) for edge in spacing))
    across = math.prod(size + 1 for size in shape[1:])
    parts: tuple[list[Pieces], list[Pieces]] = ([], [])
    last: list[Mask] = []
    done = 0
    for predicted, reference, counted in slabs:
        masks = [predicted, reference]
        if counted is not None:
            masks = [predicted & counted, reference & counted, ~counted]
        if last:
            pairs = zip(last, masks, strict=True)
            masks = [np.concatenate(pair) for pair in pairs]
        # Corners at the last row wait for the next one, if there is one; those at the
        # row that was kept are done but for the side that faces the new rows.
        stop = None if done + len(predicted) == shape[0] else -1
        codes = [corner_codes(mask)[1 if last else 0 : stop] for mask in masks]
        for side in (0, 1):
            there = np.flatnonzero(on_surface(codes[side]))
            mine, other = (codes[i].ravel()[there] for i in (side, 1 - side))
            area = areas[mine]
            if counted is not None:
                area[codes[2].ravel()[there] != 0] = 0
            places = there + done * across
            found = Pieces(places=places, codes=mine, others=other, areas=area)
            parts[side].append(found)
        done += len(predicted)
        last = [mask[-1:] for mask in masks]
    return Pieces.joined(parts[0]), Pieces.joined(parts[1])
