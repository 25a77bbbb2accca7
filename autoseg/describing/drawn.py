"""What maps of annotations hold, and so what they mean.

Legend: S spatial shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autoseg.errors import AutosegError
from autoseg.formats.base import find_format
from autoseg.formats.names import NRRD, Segment, read_segments

FEW_VALUES = 32  # that a drawn map of classes has
FLAT = 0.9  # of neighbors are equal where somebody painted
SELDOM = 0.5  # and no more of them are where a camera looked
MANY_IDS = 12  # values in all: more are ids of objects, unless most maps have them
USUAL = 0.5  # of the maps have each class that there is
FEWEST_IDS = 4  # in the fullest map; fewer that come and go are organs and tumors
ALL_WHOLE = 0.95
PIECES = 3  # of one value, from which on they may be objects
DOT = 15  # voxels along each axis of what marks a point, at most
FEWEST_POINTS = 2
SHARE_OF_POINTS = 0.8  # of maps are present
VOID = 255  # what nobody looked at, in many tools


@dataclass(frozen=True, kw_only=True)
class Map:
    """What one map holds.

    Parameters
    ----------
    shape : tuple of int
        S.
    values : mapping of int to int
        Voxels of each value but 0.
    background : bool
        Whether 0 is there.
    pieces : int
        Of the foreground where it has one value, what hangs together; else 0.
    whole : float
        Share of the values whose voxels hang together.
    dots : bool
        Every value is a spot of a few voxels.
    segments : tuple of Segment
        What its header calls its values, in files of 3D Slicer's.
    flat : float
        Share of neighbors that are equal.
    """

    shape: tuple[int, ...]
    values: dict[int, int]
    background: bool
    pieces: int
    whole: float
    dots: bool
    segments: tuple[Segment, ...] = ()
    flat: float = 1.0

    @property
    def is_drawn(self) -> bool:
        """Whether somebody may have painted it: few values, or areas of them."""
        return len(self.values) <= FEW_VALUES or self.flat > SELDOM


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What maps seem to mean.

    Parameters
    ----------
    task : str or None
        ``"semantic"``, ``"instance"`` or ``"landmark"``; None: two readings.
    because : str
        What was seen, the rest of a sentence.
    readings : tuple of str
        The tasks that it may be, the likelier first; one if it is known.
    void : int or None
        A value that may stand for what nobody looked at.
    """

    task: str | None
    because: str
    readings: tuple[str, ...]
    void: int | None = None


def looks_drawn(path: Path) -> bool:
    """Return whether an image holds few whole values, in areas: somebody painted it."""
    try:
        labels, _ = find_format(path).read_labels(path)
    except AutosegError:
        return False
    equal = _flat(labels)
    few = len(np.unique(labels)) <= FEW_VALUES
    return (few or equal > FLAT) and equal > SELDOM


def _flat(labels: NDArray[Any]) -> float:
    """Return the share of neighbors along the last axis that are equal."""
    if labels.shape[-1] < 2:
        return 1.0
    return float(np.mean(labels[..., 1:] == labels[..., :-1]))


def measure(path: Path) -> Map:
    """Read a map and count what is in it.

    Parameters
    ----------
    path : Path
        An image of whole numbers.

    Returns
    -------
    Map
        Its content.

    Raises
    ------
    FormatError
        If it is none, or cannot be read.
    """
    labels, _ = find_format(path).read_labels(path)
    found, counts = np.unique(labels, return_counts=True)
    values = {int(v): int(n) for v, n in zip(found, counts, strict=True) if int(v) != 0}
    pieces = 0
    if len(values) == 1:
        pieces = int(ndimage.label(labels, np.ones((3,) * labels.ndim))[1])
    whole, dots = _areas(labels, values)
    return Map(
        shape=labels.shape,
        values=values,
        background=len(values) < len(found),
        pieces=pieces,
        whole=whole,
        dots=dots,
        segments=read_segments(path) if path.name.lower().endswith(NRRD) else (),
        flat=_flat(labels),
    )


def _areas(labels: NDArray[Any], values: dict[int, int]) -> tuple[float, bool]:
    """Return which share of the values is in one piece, and if all are dots."""
    if not values or len(values) > 4096:
        return 1.0, False
    dense = np.searchsorted(sorted({0, *values}), labels)
    boxes = ndimage.find_objects(dense)
    near = np.ones((3,) * labels.ndim)
    whole = dots = 0
    present = [(n, box) for n, box in enumerate(boxes, 1) if box is not None]
    for number, box in present:
        area = dense[box] == number
        small = all(size <= DOT for size in area.shape)
        dots += small and all(
            5 * d < s for d, s in zip(area.shape, labels.shape, strict=True)
        )
        whole += int(ndimage.label(area, near)[1]) == 1
    return whole / max(1, len(present)), dots == len(present)


def guess(maps: Sequence[Map]) -> Guess:
    """Say what maps mean, by their values.

    Parameters
    ----------
    maps : sequence of Map
        Of all cases, at least one.

    Returns
    -------
    Guess
        The task, or two that it may be.
    """
    with_any = [one for one in maps if one.values]
    counts: dict[int, int] = {}
    for one in with_any:
        for value in one.values:
            counts[value] = counts.get(value, 0) + 1
    if not counts:
        return Guess(
            task=None, because="all maps are empty", readings=("semantic", "instance")
        )
    values = sorted(counts)
    if len(values) == 1:
        return _of_one_value(with_any, values[0])
    usual = [v for v in values if counts[v] >= USUAL * len(with_any)]
    whole = float(np.mean([one.whole for one in with_any]))
    same = len(usual) >= SHARE_OF_POINTS * len(values)
    if all(one.dots for one in with_any) and same and len(values) >= FEWEST_POINTS:
        return Guess(
            task="landmark",
            because=f"each of the values 1 to {values[-1]} is one small spot",
            readings=("landmark",),
        )
    if len(values) > MANY_IDS and whole > USUAL and not same:
        return Guess(
            task="instance",
            because=f"{_numbers(with_any)} a map, each nearly always in one piece: ids "
            "of objects",
            readings=("instance",),
        )
    if len(values) > MANY_IDS and not same:
        return _either(f"{len(values)} values, few of them in many maps")
    if whole > ALL_WHOLE and _count_up(with_any):
        return _either(f"{_numbers(with_any)} a map, counted from 1, each in one piece")
    void = VOID if values[-1] == VOID and values[-2] < FEW_VALUES else None
    return Guess(
        task="semantic",
        because=f"the same {len(values)} values in the maps: classes",
        readings=("semantic",),
        void=void,
    )


def _count_up(maps: Sequence[Map]) -> bool:
    """Return whether maps count from 1 to numbers that differ, as ids do."""
    counts = {len(one.values) for one in maps}
    up = all(sorted(one.values) == list(range(1, len(one.values) + 1)) for one in maps)
    return up and len(counts) > 1 and max(counts) >= FEWEST_IDS


def _of_one_value(maps: Sequence[Map], value: int) -> Guess:
    pieces = float(np.median([one.pieces for one in maps]))
    if pieces < PIECES:
        return Guess(
            task="semantic",
            because=f"one value, {value}, in about {_plural(pieces, 'piece')} a map: "
            "an area",
            readings=("semantic",),
        )
    return _either(f"one value, {value}, in about {pieces:.0f} pieces a map")


def _either(because: str) -> Guess:
    return Guess(task=None, because=because, readings=("semantic", "instance"))


def _plural(count: float, noun: str) -> str:
    rounded = math.floor(count + 0.5)
    return f"{rounded} {noun}{'s' * (rounded != 1)}"


def _numbers(maps: Sequence[Map]) -> str:
    counts = [len(one.values) for one in maps]
    low, high = min(counts), max(counts)
    return f"{low} values" if low == high else f"{low} to {high} values"
