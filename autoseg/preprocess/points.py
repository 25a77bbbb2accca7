"""Points on the network's grid, and back on the image's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.geometry.orientation import turn_to
from autoseg.preprocess.placement import Placement
from autoseg.spec.image import Geometry
from autoseg.spec.plan import Plan
from autoseg.spec.points import resized

Array = NDArray[Any]


def lengths_in_plan_order(places: Array, geometry: Geometry, plan: Plan) -> Array:
    """Return places in units of length along the plan's axes.

    Where they start from is left open, so that only what lies between the places means
    something. Images that lie in memory in different ways become comparable.

    Parameters
    ----------
    places : ndarray of float, shape (L, D)
        In voxels of the image.
    geometry : Geometry
        Of the image.
    plan : Plan
        Gives orientation and order of the axes.

    Returns
    -------
    ndarray of float, shape (L, D)
        In the unit of the spacing.
    """
    corners = np.vstack([np.zeros(geometry.dim), np.eye(geometry.dim)])
    if plan.orientation and geometry.dim == 3:
        turn = turn_to(geometry, plan.orientation)
        corners = turn.apply_points(corners, geometry.shape)
    corners = corners[:, plan.transpose]
    result: Array = (np.asarray(places) * geometry.spacing) @ (corners[1:] - corners[0])
    return result


def restore_coordinates(places: Array, placement: Placement) -> Array:
    """Bring coordinates from the network's grid back to the image's.

    Parameters
    ----------
    places : ndarray of float, shape (L, D)
        In voxels of the prepared array, which has the shape ``placement.shape``.
    placement : Placement
        Of the prepared image.

    Returns
    -------
    ndarray of float, shape (L, D)
        In voxels of ``placement.geometry``.
    """
    places = resized(places, placement.shape, placement.cropped_shape)
    places = places + np.array([start for start, _ in placement.box])
    places = places[:, np.argsort(placement.transpose)]
    if placement.orientation:
        turn = turn_to(placement.geometry, placement.orientation)
        places = turn.undo_points(places, placement.geometry.shape)
    return places


def place_coordinates(places: Array, placement: Placement) -> Array:
    """Bring coordinates of the image to the network's grid.

    Parameters
    ----------
    places : ndarray of float, shape (L, D)
        In voxels of ``placement.geometry``.
    placement : Placement
        Of the prepared image.

    Returns
    -------
    ndarray of float, shape (L, D)
        In voxels of the prepared array; `restore_coordinates` undoes it.
    """
    if placement.orientation:
        turn = turn_to(placement.geometry, placement.orientation)
        places = turn.apply_points(places, placement.geometry.shape)
    places = np.asarray(places)[:, placement.transpose]
    places = places - np.array([start for start, _ in placement.box])
    return resized(places, placement.cropped_shape, placement.shape)
