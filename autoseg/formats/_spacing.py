"""Spacing of files that carry none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoseg.errors import FormatError
from autoseg.spec.image import Geometry


def flat_geometry(
    path: Path,
    shape: tuple[int, ...],
    spacing: Sequence[float] | None,
    unit: str | None,
) -> Geometry:
    """Return the geometry of a file that has no place in the world.

    Parameters
    ----------
    path : Path
        The file, for the message.
    shape : tuple of int, length D
        Voxels along each axis.
    spacing : sequence of float or None
        What dataset.json or a side-car says, slowest axis first; None: 1 px.
    unit : str or None
        Its unit; None: millimeters.

    Returns
    -------
    Geometry
        At the origin, along the axes.

    Raises
    ------
    FormatError
        If the spacing has another number of axes.
    """
    if spacing is None:
        return Geometry(shape=shape, spacing=(1.0,) * len(shape), unit="px")
    if len(spacing) != len(shape):
        raise FormatError(
            f"{path} has {len(shape)} axes, {shape}, but the spacing that is given for "
            f"it has {len(spacing)}: {tuple(spacing)}. Correct the spacing."
        )
    return Geometry(shape=shape, spacing=tuple(map(float, spacing)), unit=unit or "mm")
