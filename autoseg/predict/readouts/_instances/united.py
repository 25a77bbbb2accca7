"""Objects that were found window by window, each once.

What a query or a place of a grid stands for is another thing in each window, so that
outputs of windows cannot be averaged. Objects can: what two windows say where both look
tells whether they mean the same one.

Letters: D axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics.masks import overlapping_boxes
from autoseg.predict.windows.tiling import SIGMA, Grid
from autoseg.spec.arrays.overlaps import Mask

SAME = 0.5  # IoU, where both windows look, over which two objects are one
HALF = 0.5
Box = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class Object:
    """One object of an image.

    Parameters
    ----------
    mask : Mask
        In the grid of the image.
    score : float
        How sure it is, 0 to 1.
    kind : int
        Number of its class.
    """

    mask: Mask
    score: float
    kind: int


@dataclass(frozen=True, eq=False)
class View:
    """A window of an array.

    Parameters
    ----------
    box : tuple of slice, length D
        What it shows of the array; voxels beyond are none of the array's.
    core : tuple of slice, length D
        The part of it that it shows better than any other window does.
    number : int
        Which one it is; windows of several networks have numbers of their own.
    """

    box: Box
    core: Box
    number: int


@dataclass(frozen=True, eq=False)
class Piece:
    """What one network found in one window: an object, or what is seen of it there."""

    found: Object
    view: View


def views_of(grid: Grid, index: Sequence[int], number: int) -> View:
    """Return a window of a grid; the cores of all of them divide the array.

    Parameters
    ----------
    grid : Grid
        Of the array.
    index : sequence of int, length D
        Which window.
    number : int
        See `View`.
    """
    box, core = [], []
    axes = zip(grid.origins, grid.patch, grid.padding, grid.shape, index, strict=True)
    for origins, edge, (before, _), size, at in axes:
        low = origins[at] - before
        box.append(slice(max(0, low), min(size, low + edge)))
        ends = []
        for one, other in ((at - 1, at), (at, at + 1)):
            if one < 0 or other >= len(origins):
                ends.append(0 if one < 0 else size)
            else:  # the middle of what both show
                ends.append((origins[one] + edge + origins[other]) // 2 - before)
        core.append(slice(max(0, ends[0]), min(size, ends[1])))
    return View(tuple(box), tuple(core), number)


def in_array(mask: Mask, corner: Sequence[int], shape: Sequence[int]) -> Mask | None:
    """Return a window's mask in the array's grid; None if nothing of it is inside.

    Parameters
    ----------
    mask : Mask
        In the window's grid.
    corner : sequence of int, length D
        The array's voxel that the window begins with; may be outside.
    shape : sequence of int, length D
        Of the array.
    """
    moved = Mask(
        tuple(a + b for a, b in zip(mask.start, corner, strict=True)), mask.inside
    )
    both = moved.common([slice(0, size) for size in shape])
    if both is None or not moved.cut(both).any():
        return None
    return Mask(tuple(part.start for part in both), moved.cut(both))


def unite(pieces: Sequence[Piece], networks: int, same: float) -> list[Object]:
    """Return the objects of an array from what windows show of them.

    Pieces are one object if they are nearly the same where both of their windows look.
    Voxels are in it if windows say so, which count the more the nearer to their middle.
    An object stays if at least half of it was found by the windows that show it best,
    so that what only the edge of a window shows is none.

    Parameters
    ----------
    pieces : sequence of Piece
        Of all windows and networks.
    networks : int
        How many looked at each window.
    same : float
        IoU over which the less sure of two objects is the other one again.

    Returns
    -------
    list of Object
        In the order of their boxes.
    """
    groups = _groups(pieces)
    found = []
    for members in groups:
        own = sum(_within(one.found.mask, one.view.core) for one in members)
        made = _put_together(members)
        if made is not None and own >= HALF * made.mask.size * networks:
            found.append(made)
    found.sort(key=lambda one: (one.mask.start, one.mask.inside.shape))
    return _distinct(found, same)


def _groups(pieces: Sequence[Piece]) -> list[list[Piece]]:
    """Return pieces by the object that they show; each window shows it once."""
    masks = [one.found.mask for one in pieces]
    links = []
    for one, other in overlapping_boxes(masks, masks):
        if one < other and pieces[one].view.number != pieces[other].view.number:
            alike = _alike(pieces[one], pieces[other])
            if alike > SAME:
                links.append((-alike, int(one), int(other)))
    group = list(range(len(pieces)))
    members = [[number] for number in group]
    for _, one, other in sorted(links):
        a, b = group[one], group[other]
        shown = [pieces[n].view.number for n in members[a] + members[b]]
        if a == b or len(set(shown)) < len(shown):
            continue
        for number in members[b]:
            group[number] = a
        members[a] += members[b]
        members[b] = []
    return [[pieces[n] for n in numbers] for numbers in members if numbers]


def _alike(one: Piece, other: Piece) -> float:
    """Return the IoU of two pieces where both of their windows look."""
    both = one.found.mask.shared(other.found.mask)
    if not both:
        return 0.0
    box = tuple(
        slice(max(a.start, b.start), min(a.stop, b.stop))
        for a, b in zip(one.view.box, other.view.box, strict=True)
    )
    seen = _within(one.found.mask, box) + _within(other.found.mask, box)
    return both / (seen - both)


def _within(mask: Mask, box: Box) -> int:
    both = mask.common(box)
    return 0 if both is None else int(np.count_nonzero(mask.cut(both)))


def _put_together(members: Sequence[Piece]) -> Object | None:
    """Return an object from what several windows show of it."""
    sizes = [one.found.mask.size for one in members]
    largest = members[int(np.argmax(sizes))].found
    if len(members) == 1:
        return largest
    score = float(np.average([one.found.score for one in members], weights=sizes))
    whole = members[0].found.mask
    for one in members[1:]:
        whole = whole.united(one.found.mask)
    says = np.zeros(whole.inside.shape)
    total = np.zeros(whole.inside.shape)
    for one in members:
        box = whole.common(one.view.box)
        if box is None:
            continue
        weights = _importance(box, one.view.box)
        at = _relative(box, whole.start)
        total[at] += weights
        mine = one.found.mask.common(box)
        if mine is not None:
            part = np.zeros(weights.shape, bool)
            start = [side.start for side in box]
            part[_relative(mine, start)] = one.found.mask.cut(mine)
            says[at] += weights * part
    inside = (says >= HALF * total) & (total > 0)
    if not inside.any():
        return None
    places = [at + low for at, low in zip(np.nonzero(inside), whole.start, strict=True)]
    return Object(Mask.of_places(places), score, largest.kind)


def _relative(box: Sequence[slice], start: Sequence[int]) -> Box:
    return tuple(
        slice(side.start - low, side.stop - low)
        for side, low in zip(box, start, strict=True)
    )


def _importance(box: Box, window: Box) -> NDArray[np.float64]:
    """Return how much the voxels of a box count that a window shows: a Gaussian."""
    weights = np.ones(())
    for part, whole in zip(box, window, strict=True):
        edge = whole.stop - whole.start
        places = np.arange(part.start, part.stop) - (whole.start + whole.stop - 1) / 2
        along = np.exp(-0.5 * (places / max(1e-9, SIGMA * edge)) ** 2) + 1e-9
        weights = weights[..., None] * along
    return weights


def _distinct(found: Sequence[Object], same: float) -> list[Object]:
    """Return objects without those that are a surer one again."""
    masks = [one.mask for one in found]
    sizes = [mask.size for mask in masks]
    gone = np.zeros(len(found), bool)
    pairs = [(int(a), int(b)) for a, b in overlapping_boxes(masks, masks) if a < b]
    for a, b in sorted(pairs, key=lambda p: -max(found[p[0]].score, found[p[1]].score)):
        if gone[a] or gone[b]:
            continue
        both = masks[a].shared(masks[b])
        if both > same * (sizes[a] + sizes[b] - both):
            gone[b if found[a].score >= found[b].score else a] = True
    return [one for one, drop in zip(found, gone, strict=True) if not drop]
