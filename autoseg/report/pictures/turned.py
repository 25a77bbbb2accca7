"""Turns what belongs to an image the way that its picture is turned."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from autoseg.geometry.orientation import Turn, turn_to
from autoseg.spec.image import Geometry

Array = NDArray[Any]

HEAD_UP = "LPS"  # ITK's standard: every patient lies the same way in every picture


class Turned:
    """How an image is turned for a picture: medical volumes to ITK's standard (LPS).

    Parameters
    ----------
    geometry : Geometry
        Of the image.

    Attributes
    ----------
    before : tuple of int, length D
        Shape of the image.
    shape : tuple of int, length D
        Of the turned image.
    spacing : tuple of float, length D
        Of the turned image.
    """

    def __init__(self, geometry: Geometry) -> None:
        self.before = geometry.shape
        self.shape = geometry.shape
        self.spacing = geometry.spacing
        self.turn: Turn | None = None
        if geometry.dim == 3 and geometry.unit == "mm":
            self.turn = turn_to(geometry, HEAD_UP)
            self.shape = tuple(geometry.shape[axis] for axis in self.turn.axes)
            self.spacing = tuple(geometry.spacing[axis] for axis in self.turn.axes)

    def array(self, array: Array) -> Array:
        """Turn an array of shape (..., *S)."""
        return array if self.turn is None else self.turn.apply(array)

    def points(self, points: Array) -> Array:
        """Turn points (L, D) in voxels."""
        if self.turn is None:
            return points
        return self.turn.apply_points(points, self.before)
