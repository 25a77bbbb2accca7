"""A second look for landmarks that are not where all others have them.

Sometimes another place looks a little more like a landmark than its own: the tip of
another finger, a clip in the hair. What shapes are usual, which the training cases
teach, then says where to look again.

Letters: L landmarks, D axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from autoseg.landmarks.shape import ShapePrior
from autoseg.predict.readouts._points.views import View
from autoseg.predict.windows.window import Windows, corner_of
from autoseg.spec.points import Points

NOISE = 3.0  # voxels: so far off may points be that tell where another one is
WITHIN = 4.0  # standard deviations of where the others have it
SEEN = 0.5  # chance to be there that a place must have


def doubted_views(
    found: Points, prior: ShapePrior, spacing: Sequence[float], windows: Windows
) -> list[View]:
    """Return where to look for those points that do not fit the others.

    Parameters
    ----------
    found : Points
        From `readouts.consensus.combine`, in voxels of the network's grid.
    prior : ShapePrior
        What shapes are usual, in the unit of the spacing.
    spacing : sequence of float, length D
        Of the network's grid.
    windows : Windows
        How the array is cut.

    Returns
    -------
    list of View
        With a box for each such point; empty if all fit, or it is not known.
    """
    if found.shape is None:
        return []
    edges = np.asarray(spacing, dtype=np.float64)
    usual = prior.with_noise(NOISE * float(edges.min()))
    there = found.present[:, None]
    shape = np.where(there, found.details["peak"] * edges, np.nan)
    doubted = usual.implausible(shape)
    if not doubted.any():
        return []
    shape[doubted] = np.nan
    places, covariance = usual.expected(shape)
    reach = WITHIN * np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
    lows, highs = (places - reach) / edges, (places + reach) / edges
    boxes = {
        int(number): (np.floor(lows[number]), np.ceil(highs[number]) + 1)
        for number in np.flatnonzero(doubted)
    }
    return views_into(boxes, found.shape, windows)


def corrected(found: Points, second: Points, views: Sequence[View]) -> Points:
    """Return points in which those that were looked for again are where they were seen.

    Parameters
    ----------
    found : Points
        At first.
    second : Points
        What was found in the views.
    views : sequence of View
        From `doubted_views`.

    Returns
    -------
    Points
        A point that does not fit is moved to where the others have it if the network
        finds it there with a chance of at least one half; else it stays as it is.
    """
    doubted = np.zeros(len(found.names), bool)
    doubted[sorted(set().union(*(view.landmarks for view in views)))] = True
    better = doubted & (second.details["here"] >= SEEN)
    details = {
        name: np.where(
            better.reshape(-1, *[1] * (values.ndim - 1)), second.details[name], values
        )
        for name, values in found.details.items()
    }
    return replace(found, coordinates=details["peak"], details=details)


def views_into(
    boxes: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]],
    shape: Sequence[int],
    windows: Windows,
) -> list[View]:
    """Return the windows of an array that show any of some boxes.

    Parameters
    ----------
    boxes : dict of int to pair of ndarray of float, shape (D,)
        By number of the landmark, the first voxel and the one after the last.
    shape : sequence of int, length D
        Of the array.
    windows : Windows
        How it is cut.
    """
    grid, edges = windows.grid(shape), np.asarray(windows.patch)
    views = []
    for group in grid.groups:
        for index in grid.indices(group):
            corner = corner_of(grid, index)
            inside = {}
            for number, (low, high) in boxes.items():
                # Nothing is beyond the image.
                first = np.clip(low, 0, shape) - corner
                last = np.clip(high, 0, shape) - corner
                first, last = np.clip(first, 0, edges), np.clip(last, 0, edges)
                if (first < last).all():
                    inside[number] = (
                        tuple(first.astype(int).tolist()),
                        tuple(last.astype(int).tolist()),
                    )
            if inside:
                views.append(
                    View(corner=corner, landmarks=frozenset(inside), boxes=inside)
                )
    return views
