"""Compare the grids that the files of one case say they have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.fingerprint.check.problem import Problem
from autoseg.formats.header import (
    SPACING_TOLERANCE,
    differing,
    is_turned_picture,
    measured_in,
    notes_of,
    remarks_of,
)
from autoseg.geometry.align import covers_same, names_of, turn_between, turned_note
from autoseg.geometry.orientation import Turn, is_silent, orientation_of
from autoseg.spec.image import Geometry

DIRECTION_TOLERANCE = 0.01  # of a cosine
ORIGIN_TOLERANCE = 0.1  # of the shortest edge of a voxel
LOOK = (
    "Voxels are matched by their index. Look at both in a viewer that uses world "
    "coordinates: if they lie on each other there, resample the annotation to the "
    "image's grid; if only their numbers match, copy the image's header."
)


def channel_problems(
    geometry: Geometry, path: Path, second: Geometry, other: Path
) -> list[Problem]:
    """Return how the grid of a channel's file differs from that of the first.

    Parameters
    ----------
    geometry : Geometry
        Of the first file.
    path : Path
        The first file.
    second : Geometry
        Of the other file.
    other : Path
        The other file.
    """
    refused = differing(geometry, second)
    if refused and refused[0][0] == "shape":
        return [
            Problem(
                "error",
                other,
                f"Its shape {second.shape} is not that of {path.name}, "
                f"{geometry.shape}.",
                "Resample the channels of a case to one grid.",
            )
        ]
    errors = {what for what, _, _ in refused}
    found = {what: values for what, *values in _differences(geometry, second)}
    for what, *values in refused:  # such as pixels beside lengths
        unit = ("", "") if what != "spacing" else (geometry.unit, second.unit)
        said = [f"{_short(v)} {u}".strip() for v, u in zip(values, unit, strict=True)]
        found.setdefault(what, said)
    return [
        Problem(
            "error" if what in errors else "warning",
            other,
            f"Its {what} {ours} is not that of {path.name}, {theirs}.",
            "Resample the channels of a case to one grid, or correct the header.",
        )
        for what, (theirs, ours) in found.items()
    ]


def annotation_problems(image: Geometry, labels: Geometry, path: Path) -> list[Problem]:
    """Return how the grid of an annotation differs from that of its image.

    Parameters
    ----------
    image : Geometry
        Of the image.
    labels : Geometry
        Of the annotation.
    path : Path
        The annotation.
    """
    problems = header_problems(labels, path, besides=image)
    turn = turn_between(labels, image)
    if turn is not None:
        return [*problems, _turned(labels, image, turn, path)]
    if labels.shape != image.shape:
        fix = "Resample the annotation to the image's grid, by nearest neighbor."
        if path.name.lower().endswith(".seg.nrrd"):
            fix = (
                "Export it on the image's grid; segmentation editors save only the box "
                "around the segments."
            )
        elif labels.dim != image.dim and _long(labels) == _long(image):
            fix = (
                "One of them has two axes and the other one slice: write both with as "
                "many axes."
            )
        elif is_turned_picture(image):
            fix = (
                "The image is read turned, as its EXIF orientation says; turn the "
                "annotation the same way, or the image's pixels themselves."
            )
        elif sorted(labels.shape) == sorted(image.shape):
            fix = "Its axes are in another order: transpose the annotation."
        found = f"Its shape {labels.shape} is not that of the image, {image.shape}."
        return [*problems, Problem("error", path, found, fix)]
    problems += [
        Problem(
            "warning",
            path,
            f"Its {what} {ours} is not that of the image, {theirs}.",
            LOOK,
        )
        for what, theirs, ours in _differences(image, labels)
    ]
    return [*problems, *_alone_oriented(image, labels, path)]


def _long(grid: Geometry) -> list[int]:
    """Return the axes of a grid that have more than one voxel."""
    return [size for size in grid.shape if size > 1]


def header_problems(
    geometry: Geometry, path: Path, besides: Geometry | None = None
) -> list[Problem]:
    """Return what is odd about the header of a file.

    Parameters
    ----------
    geometry : Geometry
        As it was read.
    path : Path
        The file.
    besides : Geometry, optional
        Of the image: what is said of that is not said again.
    """
    known = () if besides is None else (*remarks_of(besides), *notes_of(besides))
    said = [
        Problem("warning", path, f"Odd header: {remark}.", "Correct the header.")
        for remark in remarks_of(geometry)
        if remark not in known
    ]
    return said + [
        Problem("note", path, f"{note[:1].upper()}{note[1:]}.")
        for note in notes_of(geometry)
        if note not in known
    ]


def _turned(labels: Geometry, image: Geometry, turn: Turn, path: Path) -> Problem:
    """Return what becomes of an annotation whose axes run otherwise."""
    names = names_of(labels), names_of(image)
    if covers_same(labels, image, turn):
        note = turned_note(labels, image)
        return Problem("note", path, f"{note[:1].upper()}{note[1:]}.")
    return Problem(
        "error",
        path,
        f"Its direction {names[0]} is not that of the image, {names[1]}, and the two "
        "do not lie in the same place.",
        "Look at both in a viewer that uses world coordinates: resample the annotation "
        "to the image's grid if it is right there; if only its numbers are, and not "
        "its header, write it again with the image's.",
    )


def _alone_oriented(image: Geometry, labels: Geometry, path: Path) -> list[Problem]:
    """Return that one header alone says how axes lie, and not as arrays usually do.

    Who wrote the other one may have put the voxels into another order.
    """
    usual = np.allclose(labels.direction, image.direction, atol=DIRECTION_TOLERANCE)
    if usual or "px" in (image.unit, labels.unit):
        return []
    ours, theirs = orientation_of(image), orientation_of(labels)
    if theirs is not None and is_silent(image):
        found = (
            f"Its header says that its axes lie as {theirs}, and its image's header "
            "says nothing."
        )
    elif ours is not None and is_silent(labels):
        found = (
            "Its header does not say how its axes lie, and its image's header says "
            f"{ours}."
        )
    else:
        return []
    return [
        Problem(
            "warning",
            path,
            found,
            "Voxels are matched by their index. Look at one on its image (such as in "
            "the report): if it lies mirrored, write it again in the image's order.",
        )
    ]


def _differences(a: Geometry, b: Geometry) -> list[tuple[str, Any, Any]]:
    """Return what differs between two grids of one shape: name and both values."""
    if "px" in (a.unit, b.unit):
        return []  # one of the files has no place in the world
    b = measured_in(b, a.unit)
    found: list[tuple[str, Any, Any]] = []
    if not np.allclose(a.spacing, b.spacing, rtol=SPACING_TOLERANCE, atol=0):
        found.append(("spacing", _short(a.spacing), _short(b.spacing)))
    if not (a.oriented and b.oriented):
        return found  # one of the files does not say how its axes lie
    if not np.allclose(a.direction, b.direction, rtol=0, atol=DIRECTION_TOLERANCE):
        codes = (orientation_of(a), orientation_of(b))
        if codes[0] == codes[1]:
            codes = (_short(a.direction), _short(b.direction))
        found.append(("direction", *codes))
    else:  # turned axes have their origin elsewhere
        apart = np.linalg.norm(np.subtract(a.origin, b.origin))
        if apart > ORIGIN_TOLERANCE * min(a.spacing):
            found.append(("origin", _short(a.origin), _short(b.origin)))
    return found


def _short(values: Sequence[float]) -> str:
    return f"({', '.join(f'{value:.4g}' for value in values)})"
