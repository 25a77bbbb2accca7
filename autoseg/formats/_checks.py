"""What must be true of every image file that is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from autoseg.errors import FormatError
from autoseg.formats.header import measured_in
from autoseg.spec.foreign.place import is_there, place_of
from autoseg.spec.image import Geometry

SPACING_TOLERANCE = 1e-3  # relative; headers in float32 and in text differ by less
DIRECTION_TOLERANCE = 0.1  # of a cosine: less is rounding, more another orientation


def must_exist(path: Path) -> None:
    """Raise FormatError unless a file is there."""
    if not is_there(Path(path)):
        raise FormatError(
            f"{place_of(Path(path))} does not exist. Put it there, or correct the path."
        )


def must_have_size(geometry: Geometry, path: Path) -> None:
    """Raise FormatError if an edge of a voxel is no positive number."""
    if not all(0 < edge < float("inf") for edge in geometry.spacing):
        raise FormatError(
            f"{path} has the spacing {geometry.spacing}, which cannot be. Correct the "
            "file's header."
        )


def must_agree(a: Geometry, path_a: Path, b: Geometry, path_b: Path) -> None:
    """Raise FormatError if two files of one case lie on different grids."""
    b = measured_in(b, a.unit)
    same_axes = a.dim == b.dim
    checks = (
        ("shape", a.shape, b.shape, a.shape == b.shape),
        (
            "spacing",
            a.spacing,
            b.spacing,
            same_axes and np.allclose(a.spacing, b.spacing, rtol=SPACING_TOLERANCE),
        ),
        (
            "direction",
            a.direction,
            b.direction,
            same_axes
            and np.allclose(a.direction, b.direction, atol=DIRECTION_TOLERANCE),
        ),
    )
    for what, one, other, same in checks:
        if not same:
            raise FormatError(
                f"channels of one case differ in {what}: {one} in {path_a}, {other} in "
                f"{path_b}. Resample them to one grid."
            )
