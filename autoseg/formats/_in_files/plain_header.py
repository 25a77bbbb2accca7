"""Headers of NIfTI whose geometry ITK need not be asked for.

Loading ITK takes longer than reading a small image, and 90 MB.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autoseg.formats.base import Array

TOLERANCE = 2e-5  # of a cosine: ITK's is 1e-4
RATIO = 100.0  # of the longest edge to the shortest


def plain_sform(header: Any) -> tuple[Array, Array] | None:
    """Return origin and direction of a header that leaves ITK no choice.

    ITK (`NiftiImageIO` of 5.4) takes the sform where it is a rotation, and of the
    scanner or the only one given. Bounds here are narrower than its own: what is near
    one of them is left to ITK.

    Parameters
    ----------
    header : numpy record
        Of three axes, in a unit that ITK does not convert.

    Returns
    -------
    origin : ndarray of float64, shape (3,)
        ITK's, to the bit. Instead of both None: ask ITK.
    direction : ndarray of float64, shape (3, 3)
        ITK's matrix, to the bit.
    """
    qform, sform = int(header["qform_code"]), int(header["sform_code"])
    if sform != 1 and (sform <= 0 or qform != 0):
        return None
    rows = header["srow"].astype(np.float64)
    edges = header["pixdim"][1:4].astype(np.float64)
    if not (np.isfinite(rows).all() and np.isfinite(edges).all()):
        return None
    if min(edges) <= 0:
        return None
    matrix = rows[:, :3] * [[-1.0], [-1.0], [1.0]]
    # Summed in ITK's order, which decides the last bit.
    lengths = np.sqrt(matrix[0] ** 2 + matrix[1] ** 2 + matrix[2] ** 2)
    if min(lengths) <= 0 or max(lengths) > RATIO * min(lengths):
        return None
    direction = matrix / lengths
    if np.abs(direction.T @ direction - np.eye(3)).max() > TOLERANCE:
        return None
    return rows[:, 3] * [-1.0, -1.0, 1.0], direction
