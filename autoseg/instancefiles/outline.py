"""Outlines of masks along the edges of their pixels.

An outline runs between pixels, so a program that fills it gets the very mask back. Its
corners are whole numbers: pixel (row r, column c) is the square from (c, r) to
(c + 1, r + 1), with the origin in the top left corner of the image.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ring = list[tuple[int, int]]


def outlines(
    mask: NDArray[np.bool_], top: int = 0, left: int = 0, corners: bool = False
) -> list[list[Ring]]:
    """Return the outlines of a mask.

    Parameters
    ----------
    mask : ndarray of bool, shape (H, W)
        Of one object; pixels that share an edge belong to one piece.
    top, left : int
        Where in the image the mask begins.
    corners : bool
        Pixels that share a corner belong to one piece, too. Rings may then pass a
        corner twice, which not every program takes.

    Returns
    -------
    list of list of ring
        For each piece the ring around it, then those around its holes. A ring is its
        corners (x, y), the first not repeated; on the screen, the outer one runs
        clockwise, the others run counterclockwise.

    Examples
    --------
    >>> outlines(np.array([[True, True]]))
    [[[(0, 0), (2, 0), (2, 1), (0, 1)]]]
    """
    from scipy.ndimage import find_objects, label

    pieces, _ = label(mask, np.ones((3, 3)) if corners else None)
    found = []
    for number, box in enumerate(find_objects(pieces), start=1):
        rings = _rings(pieces[box] == number, corners)
        y, x = top + box[0].start, left + box[1].start
        moved = [[(a + x, b + y) for a, b in ring] for ring in rings]
        found.append(sorted(moved, key=_area, reverse=True))
    return found


def _rings(piece: NDArray[np.bool_], corners: bool) -> list[Ring]:
    """Follow the edges of one piece, its pixels always on the right."""
    padded = np.pad(piece, 1)
    steps: dict[tuple[int, int], list[tuple[int, int]]] = {}

    def add(where: tuple[NDArray[Any], ...], start: Any, end: Any) -> None:
        for y, x in zip(*(axis.tolist() for axis in where), strict=True):
            begin = (x + start[0], y + start[1])
            steps.setdefault(begin, []).append((x + end[0], y + end[1]))

    inner = padded[1:-1, 1:-1]
    add(np.nonzero(inner & ~padded[:-2, 1:-1]), (0, 0), (1, 0))  # above: to the right
    add(np.nonzero(inner & ~padded[1:-1, 2:]), (1, 0), (1, 1))  # right of it: down
    add(np.nonzero(inner & ~padded[2:, 1:-1]), (1, 1), (0, 1))  # below: to the left
    add(np.nonzero(inner & ~padded[1:-1, :-2]), (0, 1), (0, 0))  # left of it: up
    rings = []
    while steps:
        start = min(steps, key=lambda corner: corner[::-1])  # passed only once
        ring, at = [start], _take(steps, start, None)
        before = start
        while at != start:
            ring.append(at)
            before, at = at, _take(steps, at, before, corners)
        rings.append(_corners(ring))
    return rings


def _take(
    steps: dict[tuple[int, int], list[tuple[int, int]]],
    at: tuple[int, int],
    before: tuple[int, int] | None,
    left: bool = False,
) -> tuple[int, int]:
    """Take a step away from a corner; where two begin, the one to the right or left."""
    options = steps[at]
    chosen = 0
    if len(options) > 1 and before is not None:
        dx, dy = at[0] - before[0], at[1] - before[1]
        side = -1 if left else 1
        chosen = options.index((at[0] - side * dy, at[1] + side * dx))
    step = options.pop(chosen)
    if not options:
        del steps[at]
    return step


def _corners(ring: Ring) -> Ring:
    """Leave out what lies on a straight line."""
    points = np.array(ring)
    ahead, behind = np.roll(points, -1, axis=0) - points, points - np.roll(points, 1, 0)
    turn = (ahead != behind).any(axis=1)
    return [(int(x), int(y)) for x, y in points[turn]]


def _area(ring: Ring) -> float:
    """Return the signed area: of outer rings positive."""
    x, y = np.array(ring).T
    return float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
