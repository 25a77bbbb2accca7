"""How much of an annotation survives each representation: encode, decode, compare.

No network is in between, so that this is the most that one can reach; but where objects
overlap and a representation gives each voxel to one of them. There a network may do
better than the annotation that it learns: an object that others cut in two comes back
as two that are wrong, while one that is not spoken of is but missed. So what lies below
others is left out in a second try, and the better one counts.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.representations import REPRESENTATIONS
from autoseg.representations.base import (
    Overlapping,
    Representation,
    layers_of,
    masks_in,
)
from autoseg.representations.maps import largest_piece, numbered
from autoseg.spec.arrays.overlaps import Mask
from autoseg.tasks.base import Array

THRESHOLDS = tuple(i / 20 for i in range(10, 19))  # 0.50 to 0.90
SHOWN = (0.5, 0.7, 0.9)
MOST_VOXELS = 2**18  # of a case that are tried
LEAST_VOXELS = 2**16  # where objects overlap: an output for each of them is large


def try_out(
    labels: Array,
    spacing: tuple[float, ...],
    measured: Mapping[str, Any],
    names: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Return what every representation makes of one case.

    Parameters
    ----------
    labels : ndarray of int32, shape S or (L, *S)
        Ids, in layers where objects overlap; of a large case the middle is looked at.
    spacing : tuple of float, length D
        Edge of a voxel.
    measured : mapping
        The data set's numbers, from which options are derived.
    names : sequence of str, optional
        The representations; by default all.

    Returns
    -------
    dict
        By name of a representation: ``hits``, ``missed`` and ``extra`` at each of
        `THRESHOLDS`, ``quality``: sum of the IoU of the hits at 0.5, and ``seconds``.
        Those that hold overlaps are tried where objects of the data set do overlap. Of
        the others, ``best`` has the same of what can be reached, if that is more than
        what the annotation itself gives.
    """
    layers = layers_of(labels, len(spacing))
    overlap = bool(measured.get("overlapping"))
    layers = np.stack([_middle(layer, overlap) for layer in layers])
    labels = flat(layers)
    found: dict[str, Any] = {}
    for name in names or REPRESENTATIONS.names():
        kind = REPRESENTATIONS[name]
        if kind.holds and not overlap:
            continue
        made = kind(labels.ndim, **kind.configure(measured))
        start = time.perf_counter()
        if isinstance(made, Overlapping):
            decoded = made.find(made.encode(layers, spacing), spacing)
            seconds = time.perf_counter() - start
            numbers = compared_masks([mask for mask, _ in decoded], layers)
        else:
            ids, _ = made.decode(made.encode(labels, spacing), spacing)
            seconds = time.perf_counter() - start
            numbers = _of_one_map(made, ids, layers, labels, spacing)
        found[name] = {**numbers, "seconds": round(seconds, 4)}
    return found


def _of_one_map(
    made: Representation,
    ids: Array,
    layers: Array,
    labels: Array,
    spacing: tuple[float, ...],
) -> dict[str, Any]:
    """Return the numbers of a representation that gives each voxel to one object.

    Parameters
    ----------
    made : Representation
        The representation.
    ids : ndarray of int32, shape S
        What came back of ``labels``.
    layers : ndarray of int32, shape (L, *S)
        Ids of the annotation.
    labels : ndarray of int32, shape S
        The same as one map.
    spacing : tuple of float, length D
        Edge of a voxel.
    """
    if len(layers) == 1:
        return compared(ids, labels)
    tops, _ = made.decode(made.encode(uncovered(layers), spacing), spacing)
    as_drawn, best = (
        compared_masks([mask for _, mask in masks_in(one[None])], layers)
        for one in (ids, tops)
    )
    if _mean_ap(best) <= _mean_ap(as_drawn):
        return as_drawn
    return {**as_drawn, "best": best}


def _mean_ap(numbers: Mapping[str, Any]) -> float:
    """Return the mean AP of what `compared` returned of one case."""
    hits, missed, extra = (np.array(numbers[k]) for k in ("hits", "missed", "extra"))
    return float((hits / np.maximum(hits + missed + extra, 1)).mean())


def uncovered(layers: Array) -> Array:
    """Return layers (L, *S) as one map (*S), without what others cover too much of.

    The last layer is on top. Of an object, the largest piece that is seen stays if it
    is more than half of it; else its voxels are background.
    """
    on_top = layers[0]
    for layer in layers[1:]:
        on_top = np.where(layer > 0, layer, on_top)
    found = np.minimum(on_top, 0)
    for i, mask in masks_in(layers):
        seen = mask.inside & (on_top[mask.box] == i)
        if seen.any():
            piece = largest_piece(Mask(mask.start, seen))
            if 2 * piece.size > mask.size:
                found[piece.box][piece.inside] = i
    return numbered(found)[0]


def flat(layers: Array) -> Array:
    """Return layers (L, *S) as one map with ids from 1 on, the last layer on top."""
    labels = layers[0]
    for layer in layers[1:]:
        labels = np.where(layer > 0, layer, labels)
    return numbered(labels)[0]


def _middle(labels: Array, small: bool) -> Array:
    """Return the middle of a map, no larger than `MOST_VOXELS`; thick axes whole."""
    shape = list(labels.shape)
    while np.prod(shape) > (LEAST_VOXELS if small else MOST_VOXELS):
        longest = int(np.argmax(shape))
        shape[longest] = (shape[longest] + 1) // 2
    box = tuple(
        slice((full - part) // 2, (full - part) // 2 + part)
        for full, part in zip(labels.shape, shape, strict=True)
    )
    return labels[box]


def compared(decoded: Array, labels: Array) -> dict[str, Any]:
    """Return ``hits``, ``missed``, ``extra`` and ``quality`` as `try_out` says."""
    from autoseg.metrics.contingency import count_shared
    from autoseg.metrics.matching import match

    table = count_shared(decoded, labels)
    predicted, annotated = len(table.predicted), len(table.reference)
    hits = [len(match(table, threshold)) for threshold in THRESHOLDS]
    return {
        "hits": hits,
        "missed": [annotated - hit for hit in hits],
        "extra": [predicted - hit for hit in hits],
        "quality": float(table.ious[match(table, THRESHOLDS[0])].sum()),
    }


def compared_masks(found: Sequence[Mask], layers: Array) -> dict[str, Any]:
    """Return the same of objects that may overlap.

    Parameters
    ----------
    found : sequence of Mask
        What was decoded.
    layers : ndarray of int32, shape (L, *S)
        Ids of what was encoded.
    """
    from autoseg.metrics.masks import shared_masks
    from autoseg.metrics.matching import match

    annotated = dict(masks_in(layers))
    table = shared_masks(dict(enumerate(found, 1)), annotated)
    pairs = {t: match(table, t) for t in THRESHOLDS}
    hits = [len(pairs[t]) for t in THRESHOLDS]
    return {
        "hits": hits,
        "missed": [len(annotated) - hit for hit in hits],
        "extra": [len(found) - hit for hit in hits],
        "quality": float(table.ious[pairs[THRESHOLDS[0]]].sum()),
    }


def pool_trials(trials: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the ceiling of each representation.

    Returns
    -------
    dict
        By name: ``ap_50``, ``ap_70``, ``ap_90``, ``ap`` (mean over 0.5 to 0.9), pooled
        over the cases' objects, ``sq`` (mean IoU of the hits), ``cases`` and
        ``seconds`` for each case. Where more can be reached than what annotations
        themselves give (see `try_out`), ``most`` is the ``ap`` of that.
    """
    ceilings: dict[str, Any] = {}
    for name in sorted({name for trial in trials for name in trial}):
        ones = [trial[name] for trial in trials if name in trial]
        precision, hits = _pooled(ones)
        ceilings[name] = {
            **{
                f"ap_{round(100 * t)}": round(float(precision[THRESHOLDS.index(t)]), 4)
                for t in SHOWN
            },
            "ap": round(float(precision.mean()), 4),
            "sq": round(sum(one["quality"] for one in ones) / max(1, hits), 4),
            "cases": len(ones),
            "seconds": round(sum(one["seconds"] for one in ones) / len(ones), 3),
        }
        if any("best" in one for one in ones):
            best, _ = _pooled([one.get("best", one) for one in ones])
            ceilings[name]["most"] = round(float(best.mean()), 4)
    return ceilings


def _pooled(ones: Sequence[Mapping[str, Any]]) -> tuple[Array, int]:
    """Return the AP of all objects at each of `THRESHOLDS`, and the hits at 0.5."""
    hits, missed, extra = (
        np.sum([one[key] for one in ones], axis=0)
        for key in ("hits", "missed", "extra")
    )
    total = hits + missed + extra
    return np.where(total > 0, hits / np.maximum(total, 1), 1.0), int(hits[0])
