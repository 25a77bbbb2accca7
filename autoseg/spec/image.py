"""An image with its place in the world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError

NONZERO, NO_CROP = "nonzero", "none"
CROPS = (NONZERO, NO_CROP)  # what an image can be cropped to


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Where the voxels of an image are.

    Parameters
    ----------
    shape : tuple of int, length D
        Voxels along each spatial axis, slowest first: (Z, Y, X) or (Y, X).
    spacing : tuple of float, length D
        Edge of a voxel along each axis, same order as ``shape``, in ``unit``.
    unit : str
        ``"mm"``, ``"um"`` or ``"px"``.
    origin : tuple of float, length D
        Position of the first voxel's center, in ITK's order (x, y, z) and frame
        (LPS).
    direction : tuple of float, length D * D
        ITK's direction matrix, row by row: column k is the direction of axis k of
        (x, y, z).
    header : mapping
        What the format needs beyond that to write a file of the same geometry.
        Only the format that made it looks inside.
    oriented : bool
        Whether the file says how its axes lie in the world. What does not say so is
        never turned to an orientation.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    unit: str = "mm"
    origin: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()
    header: Mapping[str, Any] = field(default_factory=dict, compare=False)
    oriented: bool = True

    def __post_init__(self) -> None:
        dim = len(self.shape)
        if not self.origin:
            object.__setattr__(self, "origin", (0.0,) * dim)
        if not self.direction:
            object.__setattr__(self, "direction", tuple(np.eye(dim).ravel().tolist()))
        if not len(self.spacing) == len(self.origin) == dim:
            raise FormatError(
                f"shape {self.shape}, spacing {self.spacing} and origin {self.origin} "
                "must have the same number of axes."
            )

    @property
    def dim(self) -> int:
        """Number of spatial axes, D."""
        return len(self.shape)


@dataclass(frozen=True, kw_only=True)
class Image:
    """All channels of one case.

    Parameters
    ----------
    array : ndarray of float32, shape (C, *S)
        Channels first, then space, slowest axis first. Read by a format from one or
        more files.
    geometry : Geometry
        Of the spatial axes.
    path : Path or None
        The file, or the first of them, for messages.
    """

    array: NDArray[Any]
    geometry: Geometry
    path: Path | None = None
