"""From stored maps to what a network learns, and to its perfect outputs.

Legend: S spatial shape, L layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.arrays.overlaps import Shares, in_layers, on_top
from autoseg.spec.instances import Arranged
from autoseg.tasks.base import Array
from autoseg.tasks.instance.decoding import Meaning
from autoseg.tasks.instance.heads import CLASSES
from autoseg.tasks.instance.ignored import blank
from autoseg.tasks.instance.stored import class_index


def layers_of(task: Meaning, stored: Any) -> NDArray[np.int32]:
    """Return the objects of what is stored as maps (L, *S), none with overlaps."""
    if isinstance(stored, Arranged):
        maps = in_layers(stored.codes, stored.shares)
    else:
        maps = np.asarray(stored)[None]
    return np.stack([objects_in(task, one) for one in maps])


def objects_in(task: Meaning, labels: Array) -> NDArray[np.int32]:
    """Return a map of ids, as they are stored, without stuff."""
    labels = np.asarray(labels).astype(np.int32, copy=False)
    if not task.stuff:
        return labels
    return np.where(_channel(task, labels) <= len(task.labels), labels, 0)


def encoded(task: Meaning, stored: Any, spacing: tuple[float, ...]) -> dict[str, Array]:
    """Return the perfect outputs for what is stored; see `Task.encode`."""
    labels, made = np.asarray(stored), task.representation
    objects = layers_of(task, stored) if made.holds else objects_in(task, labels)
    found = made.encode(objects, spacing)
    if task.classifies:
        channel = _channel(task, labels)
        masks = [channel == k for k in range(len(task.labels) + len(task.stuff) + 1)]
        found[CLASSES] = np.stack(masks).astype(np.float32)
    return found


def targets_of(
    task: Meaning,
    codes: Array,
    spacing: tuple[float, ...],
    ignored: bool,
    *shares: Shares,
) -> dict[str, Array]:
    """Return what losses learn of a patch of what is stored; see `Task.targets`.

    Parameters
    ----------
    task : Meaning
        What the network's outputs mean.
    codes : ndarray of int, shape S
        The patch.
    spacing : tuple of float, length D
        Edge of a voxel.
    ignored : bool
        Annotations have voxels that nobody annotated.
    *shares : Shares
        One, where values stand for several objects.
    """
    known = shares[0] if shares else None
    codes = np.asarray(codes).astype(np.int32, copy=False)
    labels = codes if known is None else on_top(codes, known)
    made, objects = task.representation, objects_in(task, labels)
    if made.holds:
        layers = in_layers(codes, known)
        objects = np.stack([objects_in(task, layer) for layer in layers])
    found = made.targets(objects, spacing)
    if task.classifies:
        found[CLASSES] = _channel(task, labels)
    if ignored:
        blank(found, objects_in(task, labels), made)
    return found


def _channel(task: Meaning, labels: Array) -> NDArray[np.int16]:
    return class_index(labels, len(task.labels) + len(task.stuff))
