"""Grids that only a mistaken size can ask for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoseg.errors import FormatError
from autoseg.geometry.resample import MOST_GROWTH


def must_be_in_reach(
    shape: Sequence[int],
    new_shape: Sequence[int],
    spacing: Sequence[float],
    new_spacing: Sequence[float],
) -> None:
    """Refuse to resample a case to a grid that only a mistaken size can ask for.

    Parameters
    ----------
    shape, new_shape : sequence of int, length D
        Voxels now and then.
    spacing, new_spacing : sequence of float, length D
        Edges now and then.

    Raises
    ------
    FormatError
        If it would have more than `MOST_GROWTH` times its voxels.
    """
    growth = math.prod(new_shape) / math.prod(shape)
    if growth > MOST_GROWTH:
        edges, wanted = (
            " x ".join(f"{edge:.4g}" for edge in each)
            for each in (spacing, new_spacing)
        )
        raise FormatError(
            f"its voxels of {edges} would become {growth:.3g} times as many, of "
            f"{wanted}. Correct the spacing or the unit in its header, which cannot be "
            "meant so."
        )
