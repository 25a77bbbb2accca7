"""Turn an annotation to the axes of its image, where both are in one place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import DatasetError
from autoseg.geometry.orientation import Turn, orientation_of
from autoseg.spec.image import Geometry

Array = NDArray[Any]

COSINE_TOLERANCE = 0.1  # of axes that are the same, or opposite
SPACING_TOLERANCE = 1e-3  # relative
PLACE_TOLERANCE = 0.1  # of the shortest edge of a voxel, at both ends of a grid


def turn_between(geometry: Geometry, image: Geometry) -> Turn | None:
    """Return how an array of one grid is turned to the axes of another.

    Parameters
    ----------
    geometry : Geometry
        Of the array.
    image : Geometry
        With the axes that are wanted.

    Returns
    -------
    Turn or None
        A permutation and flips; None if the axes are the same already, oblique to each
        other, or one of the two does not say how they lie.
    """
    if geometry.dim != image.dim or "px" in (geometry.unit, image.unit):
        return None
    if not (geometry.oriented and image.oriented):
        return None
    dim = geometry.dim
    ours, theirs = (np.reshape(g.direction, (dim, dim)) for g in (geometry, image))
    between = theirs.T @ ours  # column k: our axis k in theirs, in the order x, y, z
    whole = np.rint(between)
    if np.abs(between - whole).max() > COSINE_TOLERANCE:
        return None
    if (np.abs(whole).sum(0) != 1).any() or (np.abs(whole).sum(1) != 1).any():
        return None
    if (whole == np.eye(dim)).all():
        return None
    axes, flips = [], []
    for place in range(dim):  # slowest first
        row = whole[dim - 1 - place]
        source = int(np.flatnonzero(row)[0])
        axes.append(dim - 1 - source)
        if row[source] < 0:
            flips.append(place)
    return Turn(axes=tuple(axes), flips=tuple(flips))


class ElsewhereError(DatasetError):
    """An annotation has other axes than its image, and lies elsewhere.

    Parameters
    ----------
    path : Path
        The annotation.
    geometry, image : Geometry
        Of the annotation and of the image.
    """

    def __init__(self, path: Path, geometry: Geometry, image: Geometry) -> None:
        self.axes = names_of(geometry), names_of(image)
        super().__init__(
            f"{path}: Its axes run as {self.axes[0]}, those of the image as "
            f"{self.axes[1]}, and the two do not lie in the same place. Look at "
            "both in a viewer of world coordinates: resample the annotation to the "
            "image's grid if it is right there; if only its numbers are, and not its "
            "header, write it again with the image's."
        )

    def __reduce__(self) -> Any:
        return DatasetError, self.args


def aligned(
    array: Array, geometry: Geometry, image: Geometry, path: Path
) -> tuple[Array, Geometry]:
    """Return an annotation whose axes run as those of its image.

    Parameters
    ----------
    array : ndarray, shape S
        As in its file.
    geometry : Geometry
        As in its file.
    image : Geometry
        Of the image.
    path : Path
        The annotation, for the message.

    Returns
    -------
    array : ndarray
        A view. What has the axes of the image already, or lies oblique to it, is as it
        was.
    geometry : Geometry
        That of the image, if the axes were turned.

    Raises
    ------
    ElsewhereError
        If it has other axes and does not lie where the image is.
    """
    turn = turn_between(geometry, image)
    if turn is None:
        return array, geometry
    if not covers_same(geometry, image, turn):
        raise ElsewhereError(path, geometry, image)
    return turn.apply(array), replace(geometry, **_grid_of(image))


def turned_note(geometry: Geometry, image: Geometry) -> str:
    """Return what to say of an annotation that is turned to the axes of its image."""
    return (
        f"its direction is {names_of(geometry)}, that of the image {names_of(image)}, "
        "over the same place: it is turned to the image's, which changes no value"
    )


def covers_same(geometry: Geometry, image: Geometry, turn: Turn) -> bool:
    """Return whether a grid that is turned is that of the image, voxel by voxel."""
    if tuple(geometry.shape[axis] for axis in turn.axes) != image.shape:
        return False
    spacing = [geometry.spacing[axis] for axis in turn.axes]
    if not np.allclose(spacing, image.spacing, rtol=SPACING_TOLERANCE, atol=0):
        return False
    first, last = np.zeros(image.dim), np.array(image.shape) - 1.0
    corners = np.stack([first, last])
    theirs = _places(corners, image)
    ours = _places(turn.undo_points(corners, geometry.shape), geometry)
    apart = np.linalg.norm(theirs - ours, axis=1).max()
    return bool(apart <= PLACE_TOLERANCE * min(image.spacing))


def names_of(geometry: Geometry) -> str:
    """Return the letters of a grid's axes, or its direction matrix if it has none."""
    code = orientation_of(geometry)
    if code is not None:
        return code
    return f"({', '.join(f'{value:.3g}' for value in geometry.direction)})"


def _places(points: Array, geometry: Geometry) -> Array:
    """Return where index points (N, D), slowest axis first, are in the world."""
    direction = np.reshape(geometry.direction, (geometry.dim,) * 2)
    scaled = points[:, ::-1] * np.array(geometry.spacing[::-1])
    return np.asarray(scaled @ direction.T + np.array(geometry.origin))


def _grid_of(image: Geometry) -> dict[str, Any]:
    names = ("shape", "spacing", "origin", "direction", "unit")
    return {name: getattr(image, name) for name in names}
