"""Instances as one map whose values tell id and class, as it is stored and augmented.

With K classes, the n-th instance of the c-th class is ``(n - 1) * K + c``, both counted
from 1. Legend: S spatial shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.representations.maps import numbered
from autoseg.spec.annotation import IGNORED
from autoseg.spec.instances import Arranged, Instances, arrange

Array = NDArray[Any]


def packed(instances: Instances, numbers: Mapping[str, int]) -> NDArray[np.int32]:
    """Return the map of instances.

    Parameters
    ----------
    instances : Instances
        Those without a class are of the first.
    numbers : mapping of str to int, length K
        Number of each class.

    Returns
    -------
    ndarray of int32, shape S
        0 where nothing is, `IGNORED` where nobody annotated.
    """
    labels, _ = numbered(instances.labels)
    kinds = list(numbers.values())
    index = [kinds.index(instances.classes.get(i, kinds[0])) for i in instances.ids]
    table = np.zeros(len(index) + 1, np.int32)
    table[1:] = np.arange(len(index)) * len(kinds) + np.array(index, int) + 1
    made: NDArray[np.int32] = table[labels]
    if instances.ignored is not None:
        made[instances.ignored] = IGNORED
    return made


def arranged(instances: Instances, numbers: Mapping[str, int]) -> Arranged:
    """Return objects that overlap as one map; see `autoseg.spec.arrays.overlaps`.

    Parameters
    ----------
    instances : Instances
        Those without a class are of the first.
    numbers : mapping of str to int, length K
        Number of each class.

    Returns
    -------
    Arranged
        Its ids tell the class as `packed` says.
    """
    kinds, ids = list(numbers.values()), instances.ids
    index = [kinds.index(instances.classes.get(i, kinds[0])) for i in ids]
    new = np.arange(len(ids)) * len(kinds) + np.array(index, int) + 1
    labels = instances.labels.copy()
    there = labels > 0
    labels[there] = new[np.searchsorted(ids, labels[there])]
    of = dict(zip(ids, new.tolist(), strict=True))
    return arrange(labels, {of[i]: mask for i, mask in instances.masks.items()})


def unpacked(labels: Array, numbers: Mapping[str, int]) -> Instances:
    """Return the instances of a map; undoes `packed` up to the ids.

    Parameters
    ----------
    labels : ndarray of int, shape S
        The map; what is under 0 is nothing, but for `IGNORED`.
    numbers : mapping of str to int, length K
        Number of each class.
    """
    kinds = np.array([0, *numbers.values()])
    ids = np.unique(labels)
    ids = ids[ids > 0]
    of = kinds[class_index(ids, len(numbers))]
    found = np.where(labels == IGNORED, IGNORED, np.maximum(labels, 0))
    return Instances(
        found.astype(np.int32), dict(zip(ids.tolist(), of.tolist(), strict=True))
    )


def class_index(labels: Array, kinds: int) -> NDArray[np.int16]:
    """Return at each voxel of a map which of K classes is there, from 1; 0: none."""
    return np.where(labels > 0, (labels - 1) % kinds + 1, 0).astype(np.int16)
