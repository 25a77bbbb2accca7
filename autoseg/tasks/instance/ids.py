"""Ids of instances: as files have them, and where patches center on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autoseg.errors import DatasetError
from autoseg.representations.maps import numbered
from autoseg.spec.annotation import IGNORED
from autoseg.tasks.base import Array

MOST_PLACES = 10_000  # foreground voxels kept for each class of a case


def whole_ids(annotation: Any) -> Array:
    """Return an array of ids as int32, or raise where they are none."""
    labels = np.asarray(annotation)
    if labels.dtype == bool:
        return labels.astype(np.int32)
    if labels.dtype.kind == "f":
        if not np.array_equal(labels, np.rint(labels)):
            raise DatasetError(
                "the annotation has values that are no whole numbers; an instance map "
                "holds an id for each voxel."
            )
        labels = labels.astype(np.int64)
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if low < 0:
        raise DatasetError(
            f"the annotation has the id {low}; ids are positive and 0 is background. "
            "Was it saved in a signed type that is too small? Write it as uint16 or "
            "uint32."
        )
    if high > np.iinfo(np.int32).max:
        return numbered(labels)[0]
    return labels.astype(np.int32)


def few_places(places: Array) -> Array:
    """Return at most `MOST_PLACES` of sorted linear indices, always the same."""
    if len(places) > MOST_PLACES:
        random = np.random.default_rng(1234)
        places = np.sort(random.choice(places, MOST_PLACES, replace=False))
    wide = len(places) and places[-1] >= 2**32
    return places.astype(np.uint64 if wide else np.uint32)


def places_of(
    labels: Array, channel: Array, classes: Sequence[str], ignored: bool
) -> dict[str, Array]:
    """Return where patches center: on each class, and on what is annotated.

    Parameters
    ----------
    labels : ndarray of int, shape S
        Stored map.
    channel : ndarray of int, shape S
        Index of the class at each voxel, from 1; 0: none.
    classes : sequence of str
        Their names.
    ignored : bool
        Not everything may be annotated.

    Returns
    -------
    dict of str to ndarray
        See `Task.foreground`.
    """
    flat = channel.ravel()
    places = {
        name: few_places(np.flatnonzero(flat == number))
        for number, name in enumerate(classes, 1)
    }
    if ignored and (labels == IGNORED).any():
        places["annotated"] = few_places(np.flatnonzero(labels != IGNORED))
    return places
