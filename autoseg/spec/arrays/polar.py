"""Outlines of flat masks as lengths of rays from a center.

Legend: R rays, D axes (2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.arrays.overlaps import Mask

Array = NDArray[Any]

STEP = 0.5  # voxels: how finely rays are followed


def directions(count: int) -> NDArray[np.float32]:
    """Return unit vectors (R, 2), evenly spread over a circle."""
    angle = np.arange(count) * 2 * np.pi / count
    return np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


def center_of(mask: Mask) -> NDArray[np.float64]:
    """Return the middle of a mask's voxels; outside of it, its voxel nearest to that.

    Returns
    -------
    ndarray of float64, shape (D,)
        In voxels, whose middles are at halves.
    """
    places = np.argwhere(mask.inside) + np.array(mask.start) + 0.5
    middle: NDArray[np.float64] = places.mean(0)
    if mask.has(tuple(int(i) for i in np.floor(middle))):
        return middle
    nearest: NDArray[np.float64] = places[((places - middle) ** 2).sum(1).argmin()]
    return nearest


def reach(mask: Mask, center: Array, rays: Array) -> NDArray[np.float64]:
    """Return how far a mask goes along rays: where each leaves it for the last time.

    Parameters
    ----------
    mask : Mask
        With two axes.
    center : ndarray of float, shape (2,)
        In voxels.
    rays : ndarray of float, shape (R, 2)
        Unit vectors.

    Returns
    -------
    ndarray of float64, shape (R,)
        In voxels; at least half a step.
    """
    size = np.array(mask.inside.shape)
    far = np.arange(int(np.ceil(np.hypot(*size) / STEP)) + 1) * STEP
    places = center - mask.start + rays[:, None] * far[:, None]
    at = np.floor(places).astype(int)
    within = ((at >= 0) & (at < size)).all(-1)
    at = np.where(within[..., None], at, 0)
    inside = within & mask.inside[at[..., 0], at[..., 1]]
    found: NDArray[np.float64] = (inside * far).max(1) + STEP / 2
    return found
