"""Where planes and contours are on the grid of an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.image import Geometry

Array = NDArray[Any]

NEAR = 0.1  # of a voxel: what is nearer to a voxel is on it
ROUNDED = "rounded places"  # of a geometry's header: see `Stack.rounded`
NEAREST = 0.45  # of a voxel: further away, another one may be meant


def to_voxels(points: Array, geometry: Geometry) -> NDArray[np.float64]:
    """Return where points of the patient are in an image.

    Parameters
    ----------
    points : ndarray, shape (N, 3)
        Millimeters, LPS.
    geometry : Geometry
        Of an image with three axes.

    Returns
    -------
    ndarray of float64, shape (N, 3)
        Voxels along (z, y, x).
    """
    direction = np.reshape(geometry.direction, (3, 3))
    scaled = direction * np.asarray(geometry.spacing[::-1])
    moved = np.asarray(points, np.float64) - np.asarray(geometry.origin)
    return np.linalg.solve(scaled, moved.T).T[:, ::-1]


def to_world(voxels: Array, geometry: Geometry) -> NDArray[np.float64]:
    """Return where voxels (z, y, x) are in the patient; undoes `to_voxels`."""
    direction = np.reshape(geometry.direction, (3, 3))
    scaled = direction * np.asarray(geometry.spacing[::-1])
    moved = np.asarray(voxels, np.float64)[:, ::-1] @ scaled.T
    return np.asarray(moved + np.asarray(geometry.origin))


def slack_of(geometry: Geometry, near: float) -> float:
    """Return how far something may be off a voxel of an image, in voxels.

    Parameters
    ----------
    geometry : Geometry
        Of the image, whose slices may lie at rounded places.
    near : float
        How far where they do not.
    """
    rounded = float(geometry.header.get(ROUNDED, 0.0))
    return max(near, min(near + rounded / geometry.spacing[0], NEAREST))


class Fit:
    """How the pixels of a plane lie on an image: each on a voxel, or not at all.

    Parameters
    ----------
    position, orientation : sequence of float
        Of the plane, as DICOM has them.
    spacing : sequence of float
        Between its rows and between its columns.
    geometry : Geometry
        Of the image.
    shape : tuple of int
        Rows and columns of the plane.
    """

    def __init__(
        self,
        position: Any,
        orientation: Any,
        spacing: Any,
        geometry: Geometry,
        shape: tuple[int, int],
    ) -> None:
        row, column = np.reshape(np.asarray(orientation, np.float64), (2, 3))
        start = np.asarray(position, np.float64)
        last = shape[0] - 1, shape[1] - 1
        corners = np.stack(
            [
                start,
                start + column * spacing[0] * max(1, last[0]),
                start + row * spacing[1] * max(1, last[1]),
            ]
        )
        places = to_voxels(corners, geometry)
        self.near = slack_of(geometry, NEAR)
        down = (places[1] - places[0]) / max(1, last[0])
        across = (places[2] - places[0]) / max(1, last[1])
        self.start = np.round(places[0]).astype(int)
        self.down, self.across = (
            np.round(down).astype(int),
            np.round(across).astype(int),
        )
        ends = [
            np.abs(places[0] - self.start),
            np.abs(places[1] - self.start - self.down * max(1, last[0])),
            np.abs(places[2] - self.start - self.across * max(1, last[1])),
        ]
        unit = [np.abs(step).sum() for step in (self.down, self.across)]
        self.off = float(np.max(ends)) if unit == [1, 1] else float("inf")

    @property
    def good(self) -> bool:
        """Whether each pixel is a voxel of the image's grid, in it or beside it."""
        return self.off <= self.near

    def places(self, mask: Array) -> tuple[Array, ...]:
        """Return the voxels (z, y, x) of the pixels of a mask that are in the grid."""
        rows, columns = np.nonzero(mask)
        found = (
            self.start[:, None]
            + self.down[:, None] * rows[None]
            + self.across[:, None] * columns[None]
        )
        return tuple(found)


def inside(places: tuple[Array, ...], shape: tuple[int, ...]) -> Array:
    """Return which places are in an image of a shape."""
    kept = np.ones(len(places[0]), bool)
    for along, size in zip(places, shape, strict=True):
        kept &= (along >= 0) & (along < size)
    return kept
