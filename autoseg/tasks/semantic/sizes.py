"""How large classes are, and how often they occur: numbers of the fingerprint."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.geometry.slabs.components import SLAB, component_sizes
from autoseg.spec.arrays.windowed import pieces
from autoseg.tasks.base import Array
from autoseg.tasks.semantic.sides import measure_sides, pool_sides


def measure_classes(
    labels: Any, classes: Mapping[str, Sequence[int]], spacing: tuple[float, ...]
) -> dict[str, Any]:
    """Return the numbers of one case; see `pool_classes`.

    Parameters
    ----------
    labels : ndarray of int, shape S, or Windowed
        Inner annotation.
    classes : mapping of str to sequence of int
        Inner values of each class that it speaks of.
    spacing : tuple of float, length D
        Edge of a voxel.
    """
    volume = math.prod(spacing)
    result: dict[str, Any] = {}
    for name, members in classes.items():
        masks = (is_one(members, part) for part in pieces(labels, SLAB))
        counts = component_sizes(masks, labels.ndim)
        voxels, sizes = int(counts.sum()), (counts * volume).tolist()
        result[name] = {
            "cases": 1,
            "cases_present": int(voxels > 0),
            "voxels": voxels,
            "all_voxels": int(labels.size),
            "objects": len(sizes),
            "object_size_logs": _size_histogram(sizes),
        }
    return {"classes": result, "sides": measure_sides(labels, classes)}


def pool_classes(measurements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the numbers of a data set from those of its cases.

    Parameters
    ----------
    measurements : sequence of mapping
        Of `measure_classes`.

    Returns
    -------
    dict
        JSON values; by class, over the cases that speak of it: how many ``cases``,
        ``cases_present`` of them with it, ``voxels`` of ``all_voxels`` and their ratio
        ``frequency``, ``objects`` and their ``median_object_size``. And ``sides``, as
        `pool_sides` returns them.
    """
    pooled: dict[str, Any] = {}
    for measured in measurements:
        for name, numbers in measured["classes"].items():
            total = pooled.setdefault(name, {"object_size_logs": {}})
            for key, value in numbers.items():
                if key == "object_size_logs":
                    for size, count in value.items():
                        logs = total[key]
                        logs[size] = logs.get(size, 0) + count
                else:
                    total[key] = total.get(key, 0) + value
    for numbers in pooled.values():
        numbers["frequency"] = numbers["voxels"] / max(1, numbers["all_voxels"])
        numbers["median_object_size"] = _median_size(numbers["object_size_logs"])
    sides = pool_sides([measured.get("sides", {}) for measured in measurements])
    return {"classes": pooled, "sides": sides}


def is_one(members: Sequence[int], labels: Array) -> Array:
    """Return where labels are one of some values."""
    mask: Array = labels == members[0]
    for value in members[1:]:
        mask |= labels == value
    return mask


def _size_histogram(sizes: Sequence[float]) -> dict[str, int]:
    """Count sizes in bins of a tenth of a decade; the key is 10 * log10(size)."""
    bins: dict[str, int] = {}
    for size in sizes:
        key = str(round(10 * math.log10(size)))
        bins[key] = bins.get(key, 0) + 1
    return bins


def _median_size(bins: Mapping[str, int]) -> float | None:
    """Return the median size of a histogram of `_size_histogram`, to a bin's width."""
    half = sum(bins.values()) / 2
    for key in sorted(bins, key=int):
        half -= bins[key]
        if half <= 0:
            return float(10 ** (int(key) / 10))
    return None
