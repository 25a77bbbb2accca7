"""Objects of which a person said no more than a box, or a point.

Each becomes an ellipse, which is learnt from as an object; about it is what nobody can
know, and everything else is background. So all objects have to be marked.

Letters: D axes, S spatial shape.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.representations.maps import numbered
from autoseg.spec.annotation import IGNORED
from autoseg.spec.instances import Instances, ids_of

Array = NDArray[Any]

DRAWN, DIAMETER = "drawn", "diameter"  # keys of dataset.json
OUTLINES, BOXES, POINTS = "outlines", "boxes", "points"
WAYS = (OUTLINES, BOXES, POINTS)
# In radii of the ellipse in a box, or of the usual object: what is object for sure
# enough to be learnt, and from where on there is background. Of a box that is all that
# is outside of it.
INNER = {BOXES: 1.0, POINTS: 0.8}
OUTER = 1.5
LEAST = 3  # voxels along an axis of what is a box; less is a point or a line
SMALL = 0.25  # of the usual object: what is larger was drawn


@dataclass(frozen=True)
class Sketch:
    """How objects of a data set are marked, where they are not drawn.

    Parameters
    ----------
    drawn : str
        ``"boxes"`` or ``"points"``.
    diameter : float
        Of points: how large objects usually are, as the diameter of a disk or ball, in
        the unit of the spacing.
    """

    drawn: str
    diameter: float = 0.0


def sketch_of(raw: Mapping[str, Any]) -> Sketch | None:
    """Return how objects are marked; None: they are drawn.

    Parameters
    ----------
    raw : mapping
        dataset.json.
    """
    drawn = raw.get(DRAWN, OUTLINES)
    if drawn not in (BOXES, POINTS):
        return None
    return Sketch(drawn, float(raw.get(DIAMETER) or 0.0))


def sketch_problems(raw: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the keys that `sketch_of` reads."""
    drawn, diameter = raw.get(DRAWN, OUTLINES), raw.get(DIAMETER)
    if drawn not in WAYS:
        return [f"`{DRAWN}` is {drawn!r}; there are {', '.join(WAYS)}"]
    if drawn != POINTS:
        return []
    number = isinstance(diameter, (int, float)) and not isinstance(diameter, bool)
    if number and 0 < float(diameter or 0) < float("inf"):
        return []
    return [
        f"objects are marked by points (`{DRAWN}`), and `{DIAMETER}` is "
        f"{diameter!r}; give how large objects usually are, in the unit of the "
        "spacing, or in pixels without one"
    ]


def sketched(
    found: Instances,
    sketch: Sketch,
    spacing: Sequence[float],
    whole: Collection[int] = (),
) -> Instances:
    """Return objects as a network may learn them, where they were marked.

    Parameters
    ----------
    found : Instances
        As files have them: a box, or a voxel or a dot, for each object. What is no full
        box, or larger than a dot, is taken as drawn.
    sketch : Sketch
        What they are.
    spacing : sequence of float, length D
        Edge of a voxel.
    whole : collection of int
        Classes that are drawn whatever `sketch` says.

    Returns
    -------
    Instances
        With the same ids and classes, and `IGNORED` where nobody can know. Where two
        overlap, each has what is nearer to its middle.
    """
    nearest = np.full(found.shape, np.inf, np.float32)
    owner = np.zeros(found.shape, np.int32)
    unknown = np.zeros(found.shape, bool)
    marked = []
    for number, middle, radii in _marks(found, sketch, spacing):
        if found.class_of(number) in whole:
            continue
        marked.append(number)
        wide = 1.0 if sketch.drawn == BOXES else OUTER
        box = tuple(
            slice(max(0, int(np.floor(m - wide * r))), max(0, int(m + wide * r) + 2))
            for m, r in zip(middle, radii, strict=True)
        )
        far, inside = _measured(box, found.shape, middle, radii)
        unknown[box] |= inside if sketch.drawn == BOXES else far <= OUTER**2
        closer = far < nearest[box]
        nearest[box][closer] = far[closer]
        owner[box][closer] = number
    if not marked:
        return found
    rest = found.without(marked) if found.masks else found
    labels = np.where(np.isin(rest.labels, marked), 0, rest.labels)
    free = labels == 0
    labels[free & unknown] = IGNORED
    sure = free & (nearest <= INNER[sketch.drawn] ** 2)
    labels[sure] = owner[sure]
    masks = {i: mask for i, mask in rest.masks.items() if i not in marked}
    return Instances(
        labels.astype(np.int32), found.classes, found.scores, masks, found.unknown
    )


def _measured(
    box: tuple[slice, ...],
    shape: Sequence[int],
    middle: Array,
    radii: Array,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return of a box of voxels how far each is off, squared, and if it is in a mark.

    In radii of its ellipse; a mark is the box about that.
    """
    squares, inside = np.zeros((), np.float32), np.ones((), bool)
    for axis, (part, size) in enumerate(zip(box, shape, strict=True)):
        away = np.arange(*part.indices(size)[:2]) - middle[axis]
        away = np.abs(away / radii[axis]).astype(np.float32)
        away = away.reshape(-1, *[1] * (len(shape) - 1 - axis))
        squares = squares + away**2
        inside = inside & (away <= 1)
    return squares, inside


def _marks(
    found: Instances, sketch: Sketch, spacing: Sequence[float]
) -> Iterator[tuple[int, Array, Array]]:
    """Yield id, middle and radii, in voxels, of each object that was only marked."""
    from scipy.ndimage import find_objects

    edges = np.asarray(spacing, float)
    dim = len(edges)
    usual = sketch.diameter / 2 / edges  # radii in voxels
    volume = {2: np.pi, 3: 4 / 3 * np.pi}[dim] * usual.prod()
    there, boxes = ids_of(found.labels), find_objects(numbered(found.labels)[0])
    places = dict(zip(there, boxes, strict=True))
    for number in found.ids:
        mask = found.mask_of(number, places.get(number))
        low = np.array(mask.start, float)
        size = np.array(mask.inside.shape)
        if sketch.drawn == BOXES:
            if mask.inside.all() and (size >= LEAST).sum() >= min(2, dim):
                yield number, low + (size - 1) / 2, size / 2
        elif np.count_nonzero(mask.inside) <= max(1.0, SMALL * volume):
            middle = low + np.argwhere(mask.inside).mean(0)
            yield number, middle, np.maximum(usual, 0.5)
