"""Whether two annotations lie on one grid."""

from __future__ import annotations

import numpy as np

from autoseg.formats.header import measured_in
from autoseg.spec.image import Geometry

# How far grids may be apart before they are not the same: rounding of headers only.
SPACING_TOLERANCE = 1e-3  # of a voxel's edge
PLACE_TOLERANCE = 0.05  # of a voxel's edge, over the whole image


def differing_grids(first: Geometry, second: Geometry) -> str:
    """Return how two grids differ, as a sentence; empty if they are the same.

    Formats that carry no geometry (unit ``"px"``) are compared by shape only.

    Parameters
    ----------
    first, second : Geometry
        Of a prediction and of its annotation.

    Returns
    -------
    str
        Such as ``"its spacing is (1.0, 1.0), the annotation's (2.0, 1.0)"``.
    """
    if first.shape != second.shape:
        return f"its shape is {first.shape}, the annotation's {second.shape}"
    if "px" in (first.unit, second.unit):
        return ""
    first = measured_in(first, second.unit)
    if not np.allclose(first.spacing, second.spacing, rtol=SPACING_TOLERANCE, atol=0):
        return f"its spacing is {first.spacing}, the annotation's {second.spacing}"
    matrices = [np.reshape(g.direction, (g.dim, g.dim)) for g in (first, second)]
    edges = np.asarray(second.spacing)
    # How far apart the ends of an axis are, in voxels: the longest axis decides.
    turned = np.abs(matrices[0] - matrices[1]).max() * max(second.shape)
    if turned > PLACE_TOLERANCE * max(1.0, edges.max() / edges.min()):
        return "its axes point elsewhere (direction matrix)"
    shift = np.abs(np.subtract(first.origin, second.origin))
    if (shift > PLACE_TOLERANCE * edges.max()).any():
        return f"its origin is {first.origin}, the annotation's {second.origin}"
    return ""
