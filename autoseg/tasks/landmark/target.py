"""The target of a landmark: a Gaussian around its place.

Legend: L landmarks, D axes, S spatial shape.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.points import Points
from autoseg.tasks.base import OutputStage

THINNEST = 0.7  # voxels: a narrower Gaussian falls between the voxels
WIDE = 3.0  # voxels: a target this wide is drawn as well at half the resolution


def widths_on(
    wanted: Sequence[float], spacing: Sequence[float], stride: Sequence[int] = ()
) -> tuple[float, ...]:
    """Return the standard deviation of the target in outputs of a grid.

    Parameters
    ----------
    wanted : sequence of float, length D or more
        In the unit of the spacing, slowest axis first; of more, the last D count.
    spacing : sequence of float, length D
        Of the network's grid.
    stride : sequence of int, length D, optional
        How many voxels an output is long; by default one.

    Returns
    -------
    tuple of float, length D
        None so small that a target falls between the outputs.
    """
    steps = stride or (1,) * len(spacing)
    rows = zip(wanted[-len(spacing) :], spacing, steps, strict=True)
    return tuple(max(THINNEST, length / (edge * n)) for length, edge, n in rows)


def stage_of_outputs(widths: Sequence[float], spacing: Sequence[float]) -> OutputStage:
    """Return the stage of the network that suffices for targets of these widths.

    Parameters
    ----------
    widths : sequence of float, length D
        Standard deviation along each axis, in voxels.
    spacing : sequence of float, length D
        Edge of a voxel.
    """
    along = widths[list(spacing).index(min(spacing))]
    shown = " x ".join(f"{round(width, 2):.6g}" for width in widths)
    return OutputStage(
        stage=int(along >= WIDE),
        rule=f"1, half the resolution, if the target is {WIDE:g} voxels wide or "
        "wider: the place between the voxels is found as well, in an eighth of the "
        "memory",
        because=f"sigma is {shown} voxels",
    )


def heat_of(points: Points, widths: Sequence[float]) -> NDArray[np.float32]:
    """Return heat, shape (L, *S): 1 at a present point, 0 where there is none.

    Parameters
    ----------
    points : Points
        In voxels, with the shape S of their image.
    widths : sequence of float, length D
        Standard deviation along each axis, in voxels.
    """
    heat = np.zeros((len(points.names), *points.shape), np.float32)
    grid = np.meshgrid(*map(np.arange, points.shape), indexing="ij")
    for i in np.flatnonzero(points.present):
        terms = zip(grid, points.coordinates[i], widths, strict=True)
        heat[i] = np.exp(-0.5 * sum(((g - c) / s) ** 2 for g, c, s in terms))
    return heat
