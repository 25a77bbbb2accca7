"""From outputs to instances with classes, for planes, volumes and stacks of planes.

Legend: S spatial shape, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from autoseg.representations.base import Overlapping, Representation
from autoseg.representations.maps import numbered
from autoseg.spec.arrays.overlaps import Mask, painted
from autoseg.spec.instances import Instances
from autoseg.tasks.base import Array
from autoseg.tasks.instance.heads import CLASSES

SAME = 0.25  # IoU from which on instances of neighboring slices are one
STUFF = 0.5  # probability from which on a voxel outside of objects is stuff


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """What the outputs of an instance task stand for.

    Parameters
    ----------
    representation : Representation
        Of objects.
    network_axes : int
        Number of spatial axes that the network sees.
    labels, stuff : mapping of str to int
        Numbers of classes, in the order of the channels.
    """

    representation: Representation
    network_axes: int
    labels: Mapping[str, int]
    stuff: Mapping[str, int]

    @property
    def classifies(self) -> bool:
        """Whether there is an output for classes."""
        return len(self.labels) + len(self.stuff) > 1


def decode_objects(
    task: Meaning, outputs: Mapping[str, Array], spacing: tuple[float, ...]
) -> list[tuple[Mask, float, int]]:
    """Return the objects of one window: masks, how sure, and numbers of classes.

    Parameters
    ----------
    task : Meaning
        With a representation that holds objects that overlap.
    outputs : mapping of str to ndarray, shape (C, *S)
        Activated outputs of each head.
    spacing : tuple of float, length D
        Edge of a voxel.
    """
    made = task.representation
    if not isinstance(made, Overlapping):
        raise TypeError("this representation gives each voxel to one object")
    maps = {head.name: outputs[head.name] for head in made.heads}
    kinds = list(task.labels.values())
    found = []
    for mask, score in made.find(maps, spacing):
        kind = kinds[0] if kinds else 1
        if task.classifies:
            inside = outputs[CLASSES][(slice(None), *mask.box)][:, mask.inside]
            kind = kinds[int(inside[1 : len(kinds) + 1].mean(1).argmax())]
        found.append((mask, score, kind))
    return found


def _with_overlaps(
    task: Meaning, outputs: Mapping[str, Array], spacing: tuple[float, ...]
) -> Instances:
    """Return objects of one window as instances, the surest on top."""
    found = decode_objects(task, outputs, spacing)
    named = list(enumerate(found, 1))
    shape = next(iter(outputs.values())).shape[1:]
    labels, shared = painted(shape, [(n, mask) for n, (mask, _, _) in named[::-1]])
    return Instances(
        labels,
        {n: kind for n, (_, _, kind) in named},
        {n: score for n, (_, score, _) in named},
        shared,
    )


def decode(
    task: Meaning, outputs: Mapping[str, Array], spacing: tuple[float, ...]
) -> Instances:
    """Return the instances that activated outputs (C, *S) stand for."""
    if task.representation.holds:
        return _with_overlaps(task, outputs, spacing)
    maps = {head.name: outputs[head.name] for head in task.representation.heads}
    shape = next(iter(maps.values())).shape[1:]
    if len(shape) > task.network_axes:
        labels, scores = _slice_by_slice(task, maps, spacing)
    else:
        labels, scores = task.representation.decode(maps, spacing)
    only = next(iter(task.labels.values()), 1)
    classes = dict.fromkeys(range(1, int(labels.max(initial=0)) + 1), only)
    if task.classifies:
        classes = _classes(task, labels, outputs[CLASSES])
        labels, classes, scores = _with_stuff(
            task, labels, outputs[CLASSES], classes, scores
        )
    return Instances(labels, classes, scores)


def _classes(task: Meaning, labels: Array, output: Array) -> dict[int, int]:
    """Return the class of each instance: the one with the largest mean probability."""
    count = int(labels.max(initial=0))
    flat = labels.ravel()
    sums = [
        np.bincount(flat, weights=output[k].ravel(), minlength=count + 1)
        for k in range(1, len(task.labels) + 1)
    ]
    best = np.argmax(sums, axis=0)
    kinds = list(task.labels.values())
    return {i: kinds[int(best[i])] for i in range(1, count + 1)}


def _with_stuff(
    task: Meaning,
    labels: Array,
    output: Array,
    classes: dict[int, int],
    scores: dict[int, float],
) -> tuple[Array, dict[int, int], dict[int, float]]:
    """Add one segment for each class of stuff that is there."""
    if not task.stuff:
        return labels, classes, scores
    labels, best = labels.copy(), output.argmax(0)
    classes, scores = dict(classes), dict(scores)
    following = int(labels.max(initial=0)) + 1
    for channel, number in enumerate(task.stuff.values(), len(task.labels) + 1):
        where = (best == channel) & (labels == 0)
        if where.any():
            labels[where] = following
            classes[following] = number
            scores[following] = float(output[channel][where].mean())
            following += 1
    return labels, classes, scores


def _slice_by_slice(
    task: Meaning, maps: Mapping[str, Array], spacing: tuple[float, ...]
) -> tuple[Array, dict[int, float]]:
    """Decode each slice; instances of neighboring slices that overlap become one."""
    first = next(iter(maps.values()))
    volume = np.zeros(first.shape[1:], np.int32)
    scores: dict[int, float] = {}
    following = 1
    for number in range(first.shape[1]):
        plane, sure = task.representation.decode(
            {name: output[:, number] for name, output in maps.items()}, spacing[1:]
        )
        before = volume[number - 1] if number else np.zeros_like(plane)
        table = np.zeros(int(plane.max(initial=0)) + 1, np.int32)
        for instance, partner in _partners(plane, before).items():
            table[instance] = partner
            scores[partner] = max(scores[partner], sure[instance])
        for instance in range(1, len(table)):
            if not table[instance]:
                table[instance] = following
                scores[following] = sure[instance]
                following += 1
        volume[number] = table[plane]
    return volume, scores


def _partners(plane: Array, before: Array) -> dict[int, int]:
    """Return, for instances of a slice, the one of the slice before they go on from."""
    here, count = numbered(plane)
    there, _ = numbered(before)
    old = np.unique(before[before > 0])
    if not count or not len(old):
        return {}
    shared = np.bincount(
        (here.astype(np.int64) * (len(old) + 1) + there).ravel(),
        minlength=(count + 1) * (len(old) + 1),
    ).reshape(count + 1, -1)
    union = shared.sum(1, keepdims=True) + shared.sum(0, keepdims=True) - shared
    iou = (shared / np.maximum(union, 1))[1:, 1:]
    found = {}
    for instance, partner in zip(*np.nonzero(iou >= SAME), strict=True):
        best = (
            iou[:, partner].argmax() == instance and iou[instance].argmax() == partner
        )
        if best:
            found[int(instance) + 1] = int(old[partner])
    return found
