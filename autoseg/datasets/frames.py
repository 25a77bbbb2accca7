"""Why points may be outside of their image: another frame, space or order of axes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import AutosegError
from autoseg.pointfiles.convention import Convention
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import Points

FAR = 2.0  # voxels outside, from which on the frame may be wrong
SLICER = {".mrk.json": "coordinateSystem", ".fcsv": "CoordinateSystem"}


class Strayed(NamedTuple):
    """What was found and what to do, sentences; and whether no slip of the hand is it.

    What is severe is refused by `check` and by every stage that learns from the points.
    """

    found: str
    fix: str
    severe: bool


def strayed(
    points: Points, geometry: Geometry, path: Path, dataset: Dataset | None
) -> Strayed | None:
    """Return which points are outside of the image, None if none is.

    Parameters
    ----------
    points : Points
        On the image's grid.
    geometry : Geometry
        Of the image.
    path : Path
        Their file.
    dataset : Dataset or None
        What is said of coordinates.

    Returns
    -------
    Strayed or None
        Severe where a point is further outside than `FAR` and another frame or order
        of axes would put all of them in, or at least half of them are outside.
    """
    names = list(itertools.compress(points.names, points.present))
    present = points.coordinates[points.present]
    outside = ~inside(present, points.shape)
    if not outside.any():
        return None
    which = ", ".join(itertools.compress(names, outside))
    found = (
        f"{outside.sum()} of {len(names)} points are outside of the image of "
        f"{' x '.join(map(str, points.shape))} voxels: {which}."
    )
    beyond = np.maximum(-0.5 - present, present - np.asarray(points.shape) + 0.5)
    change = ""
    many = bool(2 * outside.sum() >= len(names))
    if beyond.max() > FAR:
        change = way_in(present, geometry, path, dataset)
        if not change and many:
            change = too_large(present, points.shape)
    severe = bool(change) or (many and bool(beyond.max() > FAR))
    return Strayed(found, change or "Correct the points.", severe)


def way_in(
    places: NDArray[Any], geometry: Geometry, path: Path, dataset: Dataset | None
) -> str:
    """Return what puts all places into the image, as a sentence; empty: nothing does.

    Parameters
    ----------
    places : ndarray, shape (L, D)
        In voxels, some of them outside.
    geometry : Geometry
        Of the image.
    path : Path
        Their file: its kind tells which mistakes can be.
    dataset : Dataset or None
        What is said of coordinates.
    """
    name = str(path).lower()
    said = (dataset.raw.get("coordinates") if dataset is not None else None) or {}
    slicer = next((key for end, key in SLICER.items() if name.endswith(end)), None)
    physical = slicer is not None or said.get("space") == "physical"
    if physical or name.endswith(".json"):
        lps = Convention(space="physical")
        ras = Convention(space="physical", frame="RAS")
        other = ras.to_index(lps.from_index(places, geometry), geometry)
        if inside(other, geometry.shape).all():
            where = f"`{slicer}` in the file"
            if slicer is None:
                where = f"{_key('frame')}, or `coordinate_system` in the file"
            return (
                "Read in the other frame (RAS for LPS, or LPS for RAS), all are "
                f"inside: correct {where}."
            )
    if physical:
        written = lps.from_index(places, geometry)
        frames = (written, ras.from_index(places, geometry))
        if any(inside(of[:, ::-1], geometry.shape).all() for of in frames):
            return (
                "Taken as voxels, all are inside: write physical coordinates, or say "
                f"so by {_key('space')}."
            )
    else:
        for frame in ("LPS", "RAS"):
            taken = Convention(space="physical", frame=frame)
            if inside(taken.to_index(places[:, ::-1], geometry), geometry.shape).all():
                return (
                    f"Taken as physical coordinates ({frame}), all are inside: say "
                    f'"coordinates": {{"space": "physical", "frame": "{frame}"}} in '
                    "dataset.json."
                )
    return _with_fix(mistaken_frame(places, geometry.shape))


def has_convention(dataset: Dataset) -> bool:
    """Return whether ``coordinates`` of dataset.json can be understood."""
    try:
        Convention().changed(dataset.raw.get("coordinates") or {})
    except AutosegError:
        return False
    return True


def _key(name: str) -> str:
    return f'"{name}" under `coordinates` in dataset.json'


def _with_fix(change: str) -> str:
    if not change:
        return ""
    if "change the sign" in change.lower():
        return f"{change} in the files: then all are inside."
    return f"{change}, by {_key('index_order')}: then all are inside."


def too_large(places: NDArray[Any], shape: Sequence[int]) -> str:
    """Return what to do about points of a larger copy; empty: they are of none.

    Parameters
    ----------
    places : ndarray, shape (L, D)
        In voxels.
    shape : sequence of int, length D
        Of the image.
    """
    if (places < -0.5).any() or inside(places, shape).all():
        return ""
    return (
        "Were they drawn on a larger copy of the image? Then scale them: "
        "(c + 0.5) * new size / old size - 0.5."
    )


def inside(places: NDArray[Any], shape: Sequence[int]) -> NDArray[np.bool_]:
    """Return which places (L, D) are in a voxel of a grid."""
    within = (places >= -0.5) & (places < np.asarray(shape) - 0.5)
    found: NDArray[np.bool_] = np.asarray(within.all(1))
    return found


def mistaken_frame(places: NDArray[Any], shape: Sequence[int]) -> str:
    """Return which change of axes puts all places into the image; empty: none does.

    Parameters
    ----------
    places : ndarray, shape (L, D)
        Some of them outside.
    shape : sequence of int, length D
        Of the image, slowest axis first.

    Returns
    -------
    str
        The first that does, of: axes in reverse order; axes that run backwards; both.

    Examples
    --------
    >>> mistaken_frame(np.array([[5.0, 30.0]]), (40, 10))
    'Reverse the order of the axes'
    """
    dim = len(shape)
    letters = "zyx"[-dim:]
    turns = [("", places), ("Reverse the order of the axes", places[:, ::-1])]
    flips = [c for n in range(dim + 1) for c in itertools.combinations(range(dim), n)]
    changes = list(itertools.product(flips, turns))
    for axes, (words, turned) in sorted(
        changes, key=lambda c: len(c[0]) + bool(c[1][0])
    ):
        changed = turned.copy()
        for axis in axes:
            changed[:, axis] = -changed[:, axis]
            if changed[:, axis].max() < 0:  # counted from the other end
                changed[:, axis] += shape[axis] - 1
        if (axes or words) and inside(changed, shape).all():
            named = " and ".join(letters[axis] for axis in axes)
            flip = f"change the sign of {named}" if axes else ""
            said = " and ".join(part for part in (words, flip) if part)
            return said[:1].upper() + said[1:]
    return ""
