"""The landmarks of a data set in numbers, and what follows from them.

Legend: N cases, L landmarks, D axes.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.choice import Decision
from autoseg.spec.points import STATUS

Array = NDArray[np.float64]

FAR = 0.25  # of half a pair's distance: a plane this far off is no mirror plane
SIDED = 0.98  # of the cases must have a pair's members on the same sides


def pool(measurements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the landmarks of all cases have in common, as JSON values.

    Parameters
    ----------
    measurements : sequence of mapping
        Of each case, from `LandmarkTask.measure`.

    Returns
    -------
    dict
        ``status``: how often each landmark is what; ``extent``: median and 95th
        percentile of the box about the points, along each axis; ``neighbor``: median
        distance to the nearest other landmark, by name; ``mirror``: for each axis, why
        it is no mirror axis, empty if it is one.
    """
    names: list[str] = []
    places, status = [], []
    pairs: list[list[str]] = []
    for measured in measurements:
        names, pairs = measured["landmarks"], measured["pairs"]
        dim = len(measured["size"])
        nowhere = [np.nan] * dim
        places.append([nowhere if p is None else p for p in measured["places"]])
        status.append([STATUS.index(word) for word in measured["status"]])
    cloud = np.array(places, dtype=np.float64)
    states = np.array(status)
    return {
        "landmarks": names,
        "status": {
            name: {
                word: int((states[:, i] == k).sum()) for k, word in enumerate(STATUS)
            }
            for i, name in enumerate(names)
        },
        "extent": _extent(cloud),
        "neighbor": _neighbors(cloud, names),
        "mirror": [
            _no_mirror(cloud, names, pairs, axis) for axis in range(cloud.shape[2])
        ],
    }


def _extent(cloud: Array) -> dict[str, list[float]]:
    several = cloud[np.isfinite(cloud).all(2).sum(1) > 0]
    if not len(several):
        return {"median": [0.0] * cloud.shape[2], "p95": [0.0] * cloud.shape[2]}
    edges = np.nanmax(several, axis=1) - np.nanmin(several, axis=1)
    return {
        "median": np.round(np.median(edges, axis=0), 4).tolist(),
        "p95": np.round(np.percentile(edges, 95, axis=0), 4).tolist(),
    }


def _neighbors(cloud: Array, names: Sequence[str]) -> dict[str, float | None]:
    nearest = np.full(cloud.shape[:2], np.nan)
    for i, one in itertools.product(range(len(names)), range(len(cloud))):
        others = np.delete(cloud[one], i, axis=0)
        apart = np.linalg.norm(others - cloud[one, i], axis=1)
        if np.isfinite(apart).any():
            nearest[one, i] = np.nanmin(apart)
    return {
        name: round(float(np.nanmedian(nearest[:, i])), 4)
        if np.isfinite(nearest[:, i]).any()
        else None
        for i, name in enumerate(names)
    }


def _no_mirror(
    cloud: Array, names: Sequence[str], pairs: Sequence[Sequence[str]], axis: int
) -> str:
    """Return why an axis is no mirror axis; empty: it is one.

    In each case, the plane is where the pairs have their middle. The members of a pair
    must stand on the same sides of it in nearly all cases and be further apart along
    the axis than along others; every other landmark must be near to it.
    """
    if not pairs:
        return "no landmarks are pairs"
    index = {name: i for i, name in enumerate(names)}
    one = cloud[:, [index[a] for a, _ in pairs]]
    other = cloud[:, [index[b] for _, b in pairs]]
    apart, middle = (other - one) / 2, (one + other)[:, :, axis] / 2
    seen = np.isfinite(middle).any(1)
    if not seen.any():
        return "no pair is present as a whole"
    plane = np.full(len(cloud), np.nan)
    plane[seen] = np.nanmedian(middle[seen], axis=1)
    half = np.abs(apart[:, :, axis])
    width = np.nanmedian(half)
    for k, pair in enumerate(pairs):
        there = np.isfinite(half[:, k])
        if not there.any():
            return f"{pair[0]} and {pair[1]} are never both present"
        along = np.abs(np.nanmedian(apart[there, k], axis=0))
        if along[axis] < along.max():
            return f"{pair[0]} and {pair[1]} are further apart along another axis"
        sides = np.sign(apart[there, k, axis])
        if max((sides > 0).mean(), (sides < 0).mean()) < SIDED:
            return f"{pair[0]} and {pair[1]} change sides from case to case"
        if np.nanmedian(np.abs(middle[:, k] - plane)) > FAR * width:
            return f"{pair[0]} and {pair[1]} are not on the two sides of one plane"
    flat = {name for pair in pairs for name in pair}
    for name in names:
        away = np.abs(cloud[:, index[name], axis] - plane)
        if name not in flat and np.isfinite(away).any():
            if np.nanmedian(away) > FAR * width:
                return f"{name} is in no pair and not in the middle"
    return ""


def decide(
    options: Mapping[str, Any], measured: Mapping[str, Any]
) -> tuple[dict[str, Any], tuple[Decision, ...]]:
    """Return the options of the plan, with reasons.

    Parameters
    ----------
    options : mapping
        With ``sigma_voxels`` and ``loss``.
    measured : mapping
        From `pool`; empty: nothing was measured.
    """
    chosen = dict(options)
    reasons = measured.get("mirror", [])
    axes = [axis for axis, reason in enumerate(reasons) if not reason]
    chosen.setdefault("mirror_axes", axes[:1])
    if chosen["mirror_axes"]:
        because = "in the cases, the pairs stand on the two sides of a plane"
    else:
        found = [reason for reason in reasons if reason]
        because = f"off: {found[-1] if found else 'nothing was measured'}"
    rare = [
        f"{name} {counts['present']} of {counts['present'] + counts['absent']}"
        for name, counts in measured.get("status", {}).items()
        if counts["absent"]
    ]
    always = [
        name
        for name, counts in measured.get("status", {}).items()
        if counts["present"] and not counts["absent"]
    ]
    chosen["thresholds"] = {
        **dict.fromkeys(always, 0.0),
        **(chosen.get("thresholds") or {}),
    }
    decisions = (
        Decision(
            field="task.options.thresholds",
            value=f"0 for {len(always)} landmarks, else 0.5",
            rule="of a score, to call a landmark present; validation may teach others",
            because=f"{len(always)} are never absent in the training cases, and so "
            "are always given a place",
        ),
        Decision(
            field="task.options.mirror_axes",
            value=str(chosen["mirror_axes"]),
            rule="one axis at most, if the pairs are on its two sides",
            because=because,
        ),
        Decision(
            field="task.options.sigma_voxels",
            value=str(chosen["sigma_voxels"]),
            rule="1.5 voxels",
            because="of the finest axis, and as long along the others: with the "
            "cross-entropy over voxels, narrow targets give the most exact points",
        ),
        Decision(
            field="task.options.loss",
            value=chosen["loss"],
            rule="cross-entropy over voxels",
            because="quickest to learn, and an outcome of its own says that a point is "
            "absent" + (f" ({', '.join(rare)} present)" if rare else ""),
        ),
    )
    return chosen, decisions
