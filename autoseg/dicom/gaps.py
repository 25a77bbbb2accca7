"""Whether slices are as far apart as each other: what is missing, what is rounded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoseg.dicom.planes import DISTANCES, Plane

ROUNDING = 1e-3  # of a unit of the last digit: of sums of floats
SURELY = 1.6  # units by which a gap and the usual one are apart, both rounded
NEAR = 0.1  # of the usual distance: how far a gap is off where slices are missing


def last_digit(planes: Sequence[Plane], normal: NDArray[np.float64]) -> float:
    """Return by how much places may be apart along the normal, for their last digit.

    Half a unit of it for each of two places.

    Parameters
    ----------
    planes : sequence of Plane
        All slices: of those with few digits others say how many are meant.
    normal : ndarray, shape (3,)
        Of the planes.

    Returns
    -------
    float
        Millimeters.
    """
    digits = np.array([plane.digits for plane in planes])
    return float(np.abs(normal) @ 10.0 ** -digits.max(axis=0))


def explains(unit: float, heights: NDArray[np.float64]) -> bool:
    """Return whether heights are those of even slices that were rounded to a unit.

    There is a line on which all of them lie, to half a unit. Where the unit is more
    than half of the distance, or one gap half as wide again as another, it may be a
    slice that is missing.

    Parameters
    ----------
    unit : float
        What was rounded to.
    heights : ndarray, shape (N,)
        Ascending, at least two.
    """
    mean = float(heights[-1] - heights[0]) / (len(heights) - 1)
    gaps = np.diff(heights)
    slack = ROUNDING * unit
    if not unit <= mean / 2 or gaps.max() > 1.5 * gaps.min() + slack:
        return False
    least, most = _possible(unit, heights)
    return least <= most + slack


def named_distance(
    planes: Sequence[Plane], heights: NDArray[np.float64], unit: float
) -> tuple[str, float] | None:
    """Return which distance of slices a header names that their places were rounded of.

    All slices name the same, even slices so far apart give all places when they are
    rounded to the unit, and their numbers say that none is missing. Those behind a
    missing one are further off than one rounding makes where it is more than the unit;
    two roundings could hide that in a few slices, and so numbers are asked.

    Parameters
    ----------
    planes : sequence of Plane
        In order.
    heights : ndarray, shape (N,)
        Where they are along the normal.
    unit : float
        What was rounded to.

    Returns
    -------
    (str, float) or None
        Name of the field, and millimeters; None where there is no such distance.
    """
    if not _without_gap(planes):
        return None
    least, most = _possible(unit, heights)
    slack = ROUNDING * unit
    for key in DISTANCES:
        named = {plane.distances.get(key, 0.0) for plane in planes}
        distance = named.pop()
        inside = least - slack <= distance <= most + slack
        if not named and inside and distance > unit + slack:
            return key, distance
    return None


def _without_gap(planes: Sequence[Plane]) -> bool:
    """Return whether slices are all of one file, or are numbered one by one."""
    if len({plane.name for plane in planes}) == 1:
        return True
    steps = {b.number - a.number for a, b in zip(planes, planes[1:], strict=False)}
    return steps in ({1}, {-1})


def _possible(unit: float, heights: NDArray[np.float64]) -> tuple[float, float]:
    """Return least and largest distance of even slices that rounding allows."""
    least, most = -np.inf, np.inf  # distances that each pair of slices allows
    for number in range(1, len(heights)):
        apart = heights[number] - heights[:number]
        steps = np.arange(number, 0, -1)
        least = max(least, float(((apart - unit) / steps).max()))
        most = min(most, float(((apart + unit) / steps).min()))
    return least, most


def uneven(
    planes: Sequence[Plane],
    heights: NDArray[np.float64],
    gaps: NDArray[np.float64],
    usual: float,
    off: NDArray[np.intp],
    unit: float,
) -> str:
    """Return what is wrong with the distances of slices, and where.

    Parameters
    ----------
    planes : sequence of Plane
        In order.
    heights, gaps : ndarray, shapes (N,) and (N - 1,)
        Where they are along the normal, and how far apart; millimeters.
    usual : float
        How far most are apart.
    off : ndarray of int
        Numbers of the gaps that are not.
    unit : float
        By how much gaps may be off because their places are rounded.
    """
    clear = off[np.abs(gaps[off] - usual) > SURELY * unit]
    first = int([*clear, *off, 0][0])
    below, above = planes[first], planes[first + 1]
    where = (
        f"between {mm(below.position)} ({below.name}) and {mm(above.position)} "
        f"({above.name}), {heights[first]:.4g} and {heights[first + 1]:.4g} mm along "
        "the normal"
    )
    near = max(NEAR, min(SURELY * unit / usual, 0.5)) if usual > 0 else NEAR
    missing = gaps[first] / usual if usual > 0 else 0.0
    if missing > 1.5 and abs(missing - round(missing)) < near:
        count = round(missing) - 1
        words = "a slice is" if count == 1 else f"{count} slices are"
        found = f"has a gap: {words} missing {where}; slices are {usual:.4g} mm apart"
        return found + _if_coarse(unit, heights)
    found = (
        f"has slices at uneven distances: {gaps[first]:.4g} mm {where}, where the "
        f"usual distance is {usual:.4g} mm"
    )
    return found + _if_coarse(unit, heights)


def _if_coarse(unit: float, heights: NDArray[np.float64]) -> str:
    """Return what to do where rounding may be all that makes heights uneven."""
    least, most = _possible(unit, heights)
    if not 0 < least <= most + ROUNDING * unit:
        return ""
    names = " or ".join(DISTANCES)
    return (
        f". Or nothing is wrong but that places are rounded to {unit:.3g} mm; only, no "
        f"{names} of more than that agrees with them, or InstanceNumber has gaps. Then "
        "get the series with the places that the scanner wrote (ImagePositionPatient), "
        "or, if you know how far slices are apart, write it as NIfTI with that spacing"
    )


def mm(position: Sequence[float] | None) -> str:
    """Return a place for a message."""
    return f"({', '.join(f'{value:.4g}' for value in position or ())}) mm"
