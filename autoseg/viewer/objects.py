"""Landmarks, and objects that overlap, as layers of napari, without napari.

Points are a layer with the name of each in its features. Objects that overlap are
several layers of labels, of which none overlaps with itself: an object is in one of
them. Letters: L landmarks, D axes, S space.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.spec.arrays.overlaps import Mask, in_layers
from autoseg.spec.foreign.looks import looks_of
from autoseg.spec.image import Geometry
from autoseg.spec.instances import Instances
from autoseg.spec.points import PRESENT, Points
from autoseg.viewer.origin import KEY, Layer, LayerData, Origin

NAME = "landmark"  # the column of a points layer's features
MISSING = "missing"  # in its metadata: status of those that have no place
SHARE = 0.02  # of the image's longest edge: how large a point is drawn
LEAST = 2.0  # voxels


def point_layer(
    points: Points,
    geometry: Geometry,
    paths: tuple[Path, ...],
    case: str,
    raw: Mapping[str, Any],
) -> LayerData:
    """Return landmarks as a layer of points.

    Parameters
    ----------
    points : Points
        In voxels of the image. What is not present has no point.
    geometry : Geometry
        Of the image.
    paths : tuple of Path
        Files of the image.
    case : str
        What the image is called.
    raw : mapping
        dataset.json, for colors.
    """
    looks = looks_of(points.names, raw)
    there = [
        name for name, is_in in zip(points.names, points.present, strict=True) if is_in
    ]
    missing = {
        name: int(status)
        for name, status in zip(points.names, points.status, strict=True)
        if name not in there
    }
    colors = [(*(part / 255 for part in looks[name].color), 1.0) for name in there]
    options = {
        "name": f"{case} points",
        "ndim": geometry.dim,
        "scale": geometry.spacing,
        "size": max(LEAST, SHARE * max(geometry.shape)),
        "features": {NAME: np.array(there, dtype=object)},
        "text": {"string": f"{{{NAME}}}", "color": "white", "anchor": "upper_left"},
        "face_color": np.array(colors) if there else "white",
        "metadata": {KEY: Origin(paths, geometry, case), MISSING: missing},
    }
    return points.coordinates[points.present], options, "points"


def points_in(layer: Layer) -> Points:
    """Return the landmarks of a layer.

    Parameters
    ----------
    layer : Layer
        Of points, with a name for each in its features.

    Returns
    -------
    Points
        Those that have no point any more are unknown, unless the layer was opened
        without them and remembers what they were.

    Raises
    ------
    UsageError
        If a point has no name, or two have the same.
    """
    features: Any = getattr(layer, "features", {})
    column = list(features[NAME]) if NAME in features else []
    names = ["" if name is None or name != name else str(name) for name in column]
    if len(names) != len(layer.data) or not all(names):
        raise UsageError(
            f"Not every point of {layer.name!r} has a name: select it, and say which "
            "landmark it is."
        )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"{layer.name!r} has several points called {', '.join(twice)}; a landmark "
            "is one. Take away what is not meant, or say which landmark it is."
        )
    known: Mapping[str, int] = layer.metadata.get(MISSING, {})
    missing = {name: status for name, status in known.items() if name not in names}
    places = np.reshape(np.asarray(layer.data, np.float64), (len(names), -1))
    dim = places.shape[1] if names else len(np.asarray(layer.scale))
    none = np.full((len(missing), dim), np.nan)
    return Points(
        (*names, *missing),
        np.concatenate([places.reshape(len(names), dim), none]),
        np.array([*[PRESENT] * len(names), *missing.values()], np.int8),
    )


def layers_of(found: Instances) -> NDArray[np.int32]:
    """Return objects as maps of ids (N, *S), none of which overlaps with itself."""
    if not found.masks:
        return found.labels[None]
    arranged = found.arranged
    return in_layers(arranged.codes, arranged.shares)


def united(maps: Sequence[NDArray[Any]]) -> Instances:
    """Return objects of maps of ids, each in as many as one likes; earlier ones on top.

    Parameters
    ----------
    maps : sequence of ndarray of int, shape S
        At least one, as `layers_of` gives them.
    """
    labels = np.asarray(maps[0], np.int32).copy()
    for other in maps[1:]:
        labels = np.where(labels > 0, labels, np.asarray(other, np.int32))
    shared = sum((np.asarray(one) > 0).astype(np.int32) for one in maps) > 1
    inside = {
        int(i) for one in maps for i in np.unique(np.asarray(one)[shared]) if i > 0
    }
    masks = {
        i: Mask.of_places(np.nonzero(np.any([np.asarray(one) == i for one in maps], 0)))
        for i in sorted(inside)
    }
    return Instances(labels, masks=masks)
