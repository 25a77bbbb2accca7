"""How much of an annotation survives each representation: encode, decode, compare.

No network is in between, so that this is the most that one can reach.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.representations import REPRESENTATIONS
from autoseg.representations.base import Overlapping, layers_of, masks_in
from autoseg.representations.maps import numbered
from autoseg.spec.arrays.overlaps import Mask
from autoseg.tasks.base import Array

THRESHOLDS = tuple(i / 20 for i in range(10, 19))  # 0.50 to 0.90
SHOWN = (0.5, 0.7, 0.9)
MOST_VOXELS = 2**18  # of a case that are tried
LEAST_VOXELS = 2**16  # where objects overlap: an output for each of them is large


def try_out(
    labels: Array, spacing: tuple[float, ...], measured: Mapping[str, Any]
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

    Returns
    -------
    dict
        By name of a representation: ``hits``, ``missed`` and ``extra`` at each of
        `THRESHOLDS`, ``quality``: sum of the IoU of the hits at 0.5, and ``seconds``.
        Those that hold overlaps are tried where objects of the data set do overlap.
    """
    layers = layers_of(labels, len(spacing))
    overlap = bool(measured.get("overlapping"))
    layers = np.stack([_middle(layer, overlap) for layer in layers])
    labels = flat(layers)
    found: dict[str, Any] = {}
    for name in REPRESENTATIONS.names():
        kind = REPRESENTATIONS[name]
        if kind.holds and not overlap:
            continue
        made = kind(labels.ndim, **kind.configure(measured))
        start = time.perf_counter()
        masks = None
        if isinstance(made, Overlapping):
            decoded = made.find(made.encode(layers, spacing), spacing)
            masks = [mask for mask, _ in decoded]
        else:
            ids, _ = made.decode(made.encode(labels, spacing), spacing)
            if len(layers) > 1:
                masks = [mask for _, mask in masks_in(ids[None])]
        seconds = time.perf_counter() - start
        if masks is None:
            numbers = compared(ids, labels)
        else:
            numbers = compared_masks(masks, layers)
        found[name] = {**numbers, "seconds": round(seconds, 4)}
    return found


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
        ``seconds`` for each case.
    """
    ceilings: dict[str, Any] = {}
    for name in sorted({name for trial in trials for name in trial}):
        ones = [trial[name] for trial in trials if name in trial]
        sums = {
            key: np.sum([one[key] for one in ones], axis=0)
            for key in ("hits", "missed", "extra")
        }
        total = sums["hits"] + sums["missed"] + sums["extra"]
        precision = np.where(total > 0, sums["hits"] / np.maximum(total, 1), 1.0)
        hits = max(1, int(sums["hits"][0]))
        ceilings[name] = {
            **{
                f"ap_{round(100 * t)}": round(float(precision[THRESHOLDS.index(t)]), 4)
                for t in SHOWN
            },
            "ap": round(float(precision.mean()), 4),
            "sq": round(sum(one["quality"] for one in ones) / hits, 4),
            "cases": len(ones),
            "seconds": round(sum(one["seconds"] for one in ones) / len(ones), 3),
        }
    return ceilings
