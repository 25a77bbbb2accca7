"""Pieces of two surfaces, from masks that come some rows after the other.

See `autoseg.metrics.surface` for what a corner and its code are. A corner looks at the
voxels of two rows, so the last row of what came before is kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics._surface_codes import Floats, areas_of, corner_codes, on_surface

Mask = NDArray[np.bool_]
Slab = tuple[Mask, Mask, Mask | None]
"""Rows of both masks, and of the voxels that count; None: all do."""


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
