"""What the fingerprint says about instances: how many, how large, of which shape.

Legend: S spatial shape, D axes, N instances.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics.masks import LEAST_SHARED
from autoseg.representations.maps import (
    Ids,
    boxes,
    depth,
    grown,
    numbered,
    shifted,
    steps,
)
from autoseg.spec.annotation import IGNORED
from autoseg.spec.arrays.overlaps import in_layers
from autoseg.spec.instances import Instances
from autoseg.tasks.base import Array

MOST_OF_A_CASE = 100  # instances of a case that the pooled numbers stand on
QUANTILES = {"p1": 1, "p5": 5, "p50": 50, "p95": 95, "p99": 99, "p100": 100}
POOLED = ("diameter", "shortest_axis", "inner_radius", "extent", "solidity", "star")
LEAST_SHARE = 0.3  # of the 1st percentile of sizes: smaller things are no objects


def measure_case(
    instances: Instances,
    spacing: tuple[float, ...],
    class_names: Mapping[int, str],
    stuff: Mapping[str, int],
) -> dict[str, Any]:
    """Return the numbers of one case: those of its objects, and how many of each class.

    Parameters
    ----------
    instances : Instances
        Of the case.
    spacing : tuple of float, length D
        Edge of a voxel.
    class_names : mapping of int to str
        Names of all classes by number.
    stuff : mapping of str to int
        Numbers of classes that are no objects.
    """
    drop = [i for i in instances.ids if instances.class_of(i) in stuff.values()]
    objects = instances.without(drop) if drop and instances.masks else instances
    labels = objects.labels
    if drop:
        labels = np.where(np.isin(labels, drop), 0, labels)
    found = Counter(class_names[instances.class_of(i)] for i in instances.ids)
    counts = {name: found[name] for name in class_names.values()}
    numbers = measure_instances(labels, spacing)
    if numbers["objects"] == 1 and in_pieces(labels > 0):
        numbers["mask"] = True  # of the foreground, if the others are such, too
    if objects.masks:
        numbers |= measure_overlaps(objects, spacing)
    return {**numbers, "classes": counts}


def measure_overlaps(
    instances: Instances, spacing: tuple[float, ...]
) -> dict[str, Any]:
    """Return the numbers of a case that are others where objects overlap.

    Returns
    -------
    dict
        What is measured of each object, of whole ones; ``overlapping``: how many share
        more than `LEAST_SHARED` of their voxels with others, ``shared``: voxels that
        several objects cover, as a share of all that are covered, ``layers``: maps that
        it takes to hold all objects.
    """
    arranged = instances.arranged
    layers = in_layers(arranged.codes, arranged.shares)
    parts = [measure_instances(layer, spacing) for layer in layers]
    several = arranged.codes >= arranged.base
    overlapping = [
        i
        for i, mask in instances.masks.items()
        if np.count_nonzero(several[mask.box] & mask.inside) > LEAST_SHARED * mask.size
    ]
    covered = np.count_nonzero(arranged.codes > 0)
    return {
        "objects": sum(part["objects"] for part in parts),
        **{
            name: [value for part in parts for value in part[name]]
            for name in (*POOLED, "voxels", "voxels_along")
        },
        "overlapping": len(overlapping),
        "shared": float(np.count_nonzero(several) / covered),
        "layers": len(layers),
    }


def in_pieces(mask: NDArray[np.bool_]) -> bool:
    """Return whether a mask has several pieces, which touch at no face."""
    from scipy.ndimage import label

    return bool(label(mask)[1] > 1)


def measure_instances(labels: Array, spacing: tuple[float, ...]) -> dict[str, Any]:
    """Return the numbers of one case.

    Parameters
    ----------
    labels : ndarray of int, shape S
        Ids.
    spacing : tuple of float, length D
        Edge of a voxel.

    Returns
    -------
    dict
        JSON values. Lists have an entry for each instance (or a sample of them):
        equivalent ``diameter``, ``shortest_axis``, ``inner_radius`` and ``extent`` in
        units of length, ``voxels``, ``voxels_along`` each axis, ``solidity``, ``star``:
        how much of it is seen from its middle. Where nobody annotated there is neither
        object nor background: ``ignored`` is its share of the voxels, if any.
    """
    ignored = int((labels == IGNORED).sum())
    annotated = labels.size - ignored
    labels, count = numbered(labels)
    found: dict[str, Any] = {
        "axes": labels.ndim,
        "spacing": list(spacing),
        "objects": count,
        "foreground": float((labels > 0).sum() / annotated) if annotated else 0.0,
        "touching": int(touching_instances(labels)),
        **{name: [] for name in (*POOLED, "voxels", "voxels_along")},
    }
    if ignored:
        found["ignored"] = ignored / labels.size
    if not count:
        return found
    deep = depth(labels, spacing)
    every = boxes(labels)
    chosen: Sequence[int] = range(count)
    if count > MOST_OF_A_CASE:
        random = np.random.default_rng(1234)
        chosen = sorted(random.choice(count, MOST_OF_A_CASE, replace=False).tolist())
    for number in chosen:
        box = grown(every[number], labels.shape)
        mask = labels[box] == number + 1
        for name, value in _shape(mask, deep[box], spacing).items():
            found[name].append(value)
    return found


def _shape(mask: Array, deep: Array, spacing: tuple[float, ...]) -> dict[str, Any]:
    """Return the numbers of one instance."""
    edges = np.asarray(spacing)
    places = np.argwhere(mask)
    volume = len(places) * float(edges.prod())
    axes = mask.ndim
    unit = math.pi if axes == 2 else 4 / 3 * math.pi
    along = places.max(0) - places.min(0) + 1
    spread = np.cov((places * edges).T) if len(places) > 1 else np.zeros((axes, axes))
    # A full ellipsoid's variance along an axis is (half axis)^2 / (D + 2); a voxel's
    # own is its edge^2 / 12.
    variance = np.linalg.eigvalsh(spread + np.diag(edges**2 / 12))
    deepest = float(deep[mask].max())
    return {
        "diameter": round(2 * (volume / unit) ** (1 / axes), 4),
        "shortest_axis": round(2 * math.sqrt((axes + 2) * max(variance[0], 0)), 4),
        "inner_radius": round(deepest, 4),
        "extent": round(float((along * edges).max()), 4),
        "solidity": round(_solidity(mask), 4),
        "star": round(_seen(mask, places, deep), 4),
        "voxels": len(places),
        "voxels_along": along.tolist(),
    }


def _solidity(mask: Array) -> float:
    """Return the share of the convex hull that the instance fills."""
    from scipy.spatial import ConvexHull, QhullError

    places = np.argwhere(mask)
    corners = np.unique(
        np.concatenate([places + s for s in np.ndindex((2,) * mask.ndim)]), axis=0
    )
    try:
        result: float = min(1.0, len(places) / ConvexHull(corners).volume)
        return result
    except QhullError:
        return 1.0


def _seen(mask: Array, places: Array, deep: Array) -> float:
    """Return the share of voxels that a straight line inside joins to the deepest."""
    middle = places[np.argmax(deep[mask])]
    way = middle - places
    seen = np.ones(len(places), bool)
    for share in np.arange(1, 9) / 9:
        at = places + np.rint(share * way).astype(int)
        seen &= mask[tuple(at.T)]
    return float(seen.mean())


def touching_instances(labels: Ids) -> int:
    """Return how many instances have a voxel of another one around them."""
    found = np.zeros(labels.shape, bool)
    for step in steps(labels.ndim):
        other = shifted(labels, step, 0)
        found |= (other > 0) & (other != labels)
    return len(np.unique(labels[found & (labels > 0)]))


def pool_instances(measurements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a data set's numbers from those of its cases.

    Returns
    -------
    dict
        ``objects_per_image``, sizes and shapes as percentiles over instances
        (``p1`` to ``p100``), ``touching``: share of instances, ``foreground``: mean
        share of voxels, ``spacing``: median, ``voxels_along``: median of each axis,
        ``least_voxels``: below that, nothing is an object, ``spread``: 95th through 5th
        percentile of diameters. Where there are voxels that nobody annotated,
        ``ignored``: their mean share, ``ignored_cases``: in how many cases. ``masks``:
        of the ``drawn`` cases, those with one object in several pieces. Where objects
        overlap, ``overlapping``: share of instances that do, ``shared``: mean share of
        what is covered, ``layers``: the most of a case; see `measure_overlaps`.
    """
    values: dict[str, list[Any]] = {name: [] for name in (*POOLED, "voxels")}
    along: list[list[int]] = []
    objects, touching, foreground, spacings = [], 0, [], []
    axes = 0
    for one in measurements:
        axes = one["axes"]
        objects.append(one["objects"])
        touching += one["touching"]
        foreground.append(one["foreground"])
        spacings.append(one["spacing"])
        along += one["voxels_along"]
        for name, kept in values.items():
            kept += one[name]
    total = sum(objects)
    pooled: dict[str, Any] = {
        "axes": axes,
        "objects": total,
        "objects_per_image": _quantiles(objects),
        "touching": touching / max(1, total),
        "foreground": float(np.mean(foreground)) if foreground else 0.0,
        "spacing": np.median(spacings, axis=0).tolist() if spacings else [],
        **{name: _quantiles(kept) for name, kept in values.items()},
    }
    pooled["voxels_along"] = np.median(along, axis=0).tolist() if along else [1] * axes
    pooled["least_voxels"] = max(1, int(LEAST_SHARE * pooled["voxels"]["p1"]))
    small = pooled["diameter"]["p5"]
    pooled["spread"] = pooled["diameter"]["p95"] / small if small else 1.0
    masks = sum(bool(one.get("mask")) for one in measurements)
    if masks:
        pooled["masks"], pooled["drawn"] = masks, sum(n > 0 for n in objects)
    if any("layers" in one for one in measurements):
        overlapping = sum(one.get("overlapping", 0) for one in measurements)
        pooled["overlapping"] = overlapping / max(1, total)
        pooled["shared"] = float(
            np.mean([one.get("shared", 0) for one in measurements])
        )
        pooled["layers"] = max(one.get("layers", 1) for one in measurements)
    ignored = [one.get("ignored", 0.0) for one in measurements]
    if any(ignored):
        pooled["ignored"] = float(np.mean(ignored))
        pooled["ignored_cases"] = int(np.count_nonzero(ignored))
    return pooled


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return dict.fromkeys(QUANTILES, 0.0)
    found = np.percentile(values, list(QUANTILES.values()))
    return {n: round(float(v), 4) for n, v in zip(QUANTILES, found, strict=True)}
