"""How far two surfaces are apart: HD95, ASSD and NSD, weighted by area.

A mask's surface runs between its voxels. Every corner that voxels share looks at the
2^D voxels around it; where some are inside and some outside, a piece of the surface
goes through. Which of them are inside makes a code of 2^D bits, and the code tells the
area of the piece: that of the marching cubes algorithm in 3-D, the length of a polygon
through the middles of the edges in 2-D::

    o o        o o        o #        # #        o #     the four voxels around a corner
     +          +|         +          +          +
    o o        o #        o #        o #        # o     (# inside)
    nothing    corner     edge       corner     two corners

The distance of a piece is that from its corner to the nearest corner with a piece of
the other surface. Definition and values are those of Nikolov et al.

References
----------
.. [1] Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for
   radiotherapy", J Med Internet Res 23(7), 2021. doi:10.2196/26151
.. [2] Lorensen and Cline, "Marching cubes", SIGGRAPH 1987. doi:10.1145/37402.37422
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.metrics._surface_codes import Slab, facing_of, surfaces_of
from autoseg.metrics.overlap import check_same_shape
from autoseg.parallel import threads_here

Floats = NDArray[np.float64]

PART = 0.9  # of the pieces, that a 95th percentile need not sort
FEW = 10_000  # corners are looked up before a second thread would have begun


@dataclass(frozen=True, kw_only=True)
class SurfaceDistances:
    """Distances between two surfaces, piece by piece, with the areas of the pieces.

    N and M are the numbers of surface pieces of the two masks.

    Parameters
    ----------
    from_predicted : ndarray of float, shape (N,)
        From each piece of the predicted surface to the reference's, in the unit of the
        spacing; infinite if the reference is empty.
    from_reference : ndarray of float, shape (M,)
        The same the other way.
    predicted_areas : ndarray of float, shape (N,)
        Area of each piece of the predicted surface; in 2-D its length.
    reference_areas : ndarray of float, shape (M,)
        The same of the reference.
    """

    from_predicted: Floats
    from_reference: Floats
    predicted_areas: Floats
    reference_areas: Floats


def surface_distances(
    predicted: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    spacing: tuple[float, ...],
    counted: NDArray[np.bool_] | None = None,
) -> SurfaceDistances:
    """Measure how far the surfaces of two masks are apart, everywhere.

    Parameters
    ----------
    predicted, reference : ndarray of bool, shape S
        The masks, with two or three axes.
    spacing : tuple of float, length D
        Edge of a voxel along each axis.
    counted : ndarray of bool, shape S, optional
        Pieces of surface next to a voxel where it is false are left out.

    Returns
    -------
    SurfaceDistances
        For `hd95`, `assd` and `nsd`.

    Raises
    ------
    UsageError
        If the shapes differ, or there are not two or three axes with a spacing each.
    """
    check_same_shape(predicted, reference)
    if predicted.ndim not in (2, 3) or len(spacing) != predicted.ndim:
        raise UsageError(
            f"surfaces need two or three axes with a spacing each; these masks have "
            f"the shape {predicted.shape} and the spacing {tuple(spacing)}."
        )
    box = _joint_box(predicted, reference)
    slab = (
        predicted[box],
        reference[box],
        None if counted is None else counted[box],
    )
    return distances_by_rows([slab], slab[0].shape, spacing)


def distances_by_rows(
    slabs: Iterable[Slab], shape: Sequence[int], spacing: Sequence[float]
) -> SurfaceDistances:
    """Measure as `surface_distances` does masks that come some rows after the other.

    Parameters
    ----------
    slabs : iterable of (mask, mask, mask or None)
        Rows along the first axis of the predicted mask, the reference and of what is
        counted, without gaps; at least one. There may be nothing around the masks.
    shape : sequence of int
        Of all of them.
    spacing : sequence of float, length D
        Edge of a voxel along each axis.

    Returns
    -------
    SurfaceDistances
        The very same.
    """
    both = surfaces_of(slabs, shape, spacing)
    corners = [_positions(one.places, shape, spacing) for one in both]
    distances = [
        _distances(corners[mine], both[mine].others, corners[other], both[other].codes)
        for mine, other in ((0, 1), (1, 0))
    ]
    return SurfaceDistances(
        from_predicted=distances[0],
        from_reference=distances[1],
        predicted_areas=both[0].areas,
        reference_areas=both[1].areas,
    )


def hd95(distances: SurfaceDistances, percent: float = 95) -> float:
    """Return the 95th percentile of the Hausdorff distance.

    The larger of two numbers: the distance that ``percent`` of the one surface's area
    stay below, and the same of the other surface.

    Parameters
    ----------
    distances : SurfaceDistances
        From `surface_distances`.
    percent : float
        Share of the area; 100 gives the Hausdorff distance itself.

    Returns
    -------
    float
        In the unit of the spacing. NaN if there is no surface at all, infinite if only
        one of the masks has one.
    """
    both = [
        _percentile(distances.from_predicted, distances.predicted_areas, percent),
        _percentile(distances.from_reference, distances.reference_areas, percent),
    ]
    return _worse(both)


def assd(distances: SurfaceDistances) -> float:
    """Return the average symmetric surface distance.

    The mean distance over both surfaces, each piece weighted by its area.

    Parameters
    ----------
    distances : SurfaceDistances
        From `surface_distances`.

    Returns
    -------
    float
        In the unit of the spacing. NaN if there is no surface at all, infinite if only
        one of the masks has one.
    """
    total = float(distances.predicted_areas.sum() + distances.reference_areas.sum())
    if not total:
        return math.nan
    weighted = 0.0
    for lengths, areas in _pairs(distances):
        there = areas > 0  # infinity times nothing would be NaN
        weighted += float(lengths[there] @ areas[there])
    return weighted / total


def nsd(distances: SurfaceDistances, tolerance: float) -> float:
    """Return the normalized surface distance, also called surface Dice.

    The share of both surfaces' area that is within a tolerance of the other surface.

    Parameters
    ----------
    distances : SurfaceDistances
        From `surface_distances`.
    tolerance : float
        What counts as the same place, in the unit of the spacing.

    Returns
    -------
    float
        In [0, 1]; NaN if there is no surface at all, 0 if only one mask has one.
    """
    total = float(distances.predicted_areas.sum() + distances.reference_areas.sum())
    if not total:
        return math.nan
    near = sum(
        float(areas[lengths <= tolerance].sum()) for lengths, areas in _pairs(distances)
    )
    return near / total


def _pairs(distances: SurfaceDistances) -> list[tuple[Floats, Floats]]:
    return [
        (distances.from_predicted, distances.predicted_areas),
        (distances.from_reference, distances.reference_areas),
    ]


def _worse(values: list[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return max(defined, default=math.nan)


def _percentile(lengths: Floats, areas: Floats, percent: float) -> float:
    """Return the length that ``percent`` of the area stay below."""
    if not areas.any():
        return math.nan
    lengths, areas, below = _upper(lengths, areas, percent / 100)
    # Within a tie the smaller area comes first, so that sums, and with them the place
    # where they pass the threshold, do not depend on the order of voxels.
    order = np.lexsort((areas, lengths))
    sums = np.append(below, below + np.cumsum(areas[order]))
    place = int(np.searchsorted(sums / sums[-1], percent / 100))
    if place == 0:
        return 0.0
    return float(lengths[order[min(place, len(order)) - 1]])


def _upper(
    lengths: Floats, areas: Floats, share: float
) -> tuple[Floats, Floats, float]:
    """Return the lengths over which less than a share of the area can be, and the rest.

    Sorting all lengths would take longer than anything else here.

    Parameters
    ----------
    lengths, areas : ndarray of float, shape (N,)
        Of the pieces of a surface.
    share : float
        Of the area.

    Returns
    -------
    lengths, areas : ndarray of float
        The longer pieces, among them the one at which the share is passed.
    below : float
        Area of the others, which is less than the share.
    """
    whole = float(areas.sum())
    for part in (PART, 0.5):
        cut = np.partition(lengths, int(part * len(lengths)))[int(part * len(lengths))]
        longer = lengths >= cut
        below = whole - float(areas[longer].sum())
        if cut > 0 and below < share * whole:
            return lengths[longer], areas[longer], below
    apart = lengths > 0
    return lengths[apart], areas[apart], whole - float(areas[apart].sum())


def _joint_box(
    predicted: NDArray[np.bool_], reference: NDArray[np.bool_]
) -> tuple[slice, ...]:
    """Return the box around everything that is in one of two masks."""
    box: list[slice] = []
    for axis in range(predicted.ndim):
        others = tuple(other for other in range(predicted.ndim) if other != axis)
        there = predicted.any(axis=others) | reference.any(axis=others)
        places = np.flatnonzero(there)
        box.append(slice(places[0], places[-1] + 1) if len(places) else slice(0, 0))
    return tuple(box)


def _positions(
    places: NDArray[np.int64], shape: Sequence[int], spacing: Sequence[float]
) -> Floats:
    """Return where corners of an array are, in the unit of the spacing, (N, D)."""
    index = np.unravel_index(places, tuple(size + 1 for size in shape))
    result: Floats = np.stack(index, axis=1) * np.asarray(spacing)
    return result


def _distances(
    start: Floats, seen: NDArray[np.uint8], goal: Floats, codes: NDArray[np.uint8]
) -> Floats:
    """Return the distance of each corner of one surface to the other surface.

    Of the other surface only those corners are looked through that face the side the
    start is on. No other one can be the nearest: a step from the nearest corner towards
    the start, along any axis, ends nearer to it, so at a corner that no surface goes
    through, and so does each further step; all of these lie on the start's side, and
    the four voxels (in 2-D two) between the nearest corner and the first of them, too.

    Parameters
    ----------
    start, goal : ndarray of float, shapes (N, D) and (M, D)
        Places of the corners.
    seen : ndarray of uint8, shape (N,)
        Codes, in the other mask, of the corners to start from.
    codes : ndarray of uint8, shape (M,)
        Codes of the goals.

    Returns
    -------
    ndarray of float, shape (N,)
        Infinite where there is no goal.
    """
    from scipy.spatial import cKDTree

    if not len(goal):
        return np.full(len(start), math.inf)
    lengths = np.zeros(len(start))  # of what is on both surfaces
    inside, outside = facing_of(goal.shape[1])
    for side, facing in ((len(inside) - 1, inside), (0, outside)):
        here = np.flatnonzero(seen == side)
        if len(here):
            tree = cKDTree(
                goal[facing[codes]], leafsize=32, balanced_tree=False,
                compact_nodes=False,
            )  # fmt: skip
            threads = threads_here() if len(here) > FEW else 1
            lengths[here], _ = tree.query(start[here], workers=threads)
    return lengths
