"""From outputs to instances with classes, for planes, volumes and stacks of planes.

Legend: S spatial shape, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from autoseg.representations.base import Overlapping, Representation
from autoseg.representations.maps import numbered
from autoseg.spec.arrays.overlaps import Mask, painted
from autoseg.spec.instances import Instances
from autoseg.tasks.base import Array
from autoseg.tasks.instance.heads import CLASSES

SAME = 0.25  # IoU from which on instances of neighboring slices are one
NO_OVERLAPS = "this representation gives each voxel to one object"
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
        raise TypeError(NO_OVERLAPS)
    maps = {head.name: outputs[head.name] for head in made.heads}
    found = made.find(maps, spacing)
    kinds = _kinds(task, outputs, [mask for mask, _ in found])
    return [(*one, kind) for one, kind in zip(found, kinds, strict=True)]


def _with_overlaps(
    task: Meaning, outputs: Mapping[str, Array], spacing: tuple[float, ...]
) -> Instances:
    """Return objects of one window as instances, the surest on top.

    What one that is too small is on top of belongs to nobody.
    """
    made = task.representation
    if not isinstance(made, Overlapping):
        raise TypeError(NO_OVERLAPS)
    maps = {head.name: outputs[head.name] for head in made.heads}
    labels, seen = made.on_top(maps, spacing)
    kinds = dict(enumerate(_kinds(task, outputs, [mask for mask, _ in seen]), 1))
    scores = {n: score for n, (_, score) in enumerate(seen, 1)}
    named = [(n, mask) for n, (mask, _) in enumerate(seen, 1)]
    _, shared = painted(labels.shape, named)
    small = [n for n, mask in named if mask.size < made.least]
    if small:
        labels = np.where(np.isin(labels, small), 0, labels)
        shared = {
            n: Mask(mask.start, mask.inside & (labels[mask.box] > 0))
            for n, mask in shared.items()
            if n not in small
        }
    kept = set(np.unique(labels[labels > 0]).tolist()) | set(shared)
    return Instances(
        labels.astype(np.int32),
        {n: kind for n, kind in kinds.items() if n in kept},
        {n: score for n, score in scores.items() if n in kept},
        shared,
    )


def _kinds(
    task: Meaning, outputs: Mapping[str, Array], masks: Sequence[Mask]
) -> list[int]:
    """Return the class of each mask: the one with the largest mean probability."""
    kinds = list(task.labels.values())
    if not task.classifies:
        return [kinds[0] if kinds else 1] * len(masks)
    found = []
    for mask in masks:
        inside = outputs[CLASSES][(slice(None), *mask.box)][:, mask.inside]
        found.append(kinds[int(inside[1 : len(kinds) + 1].mean(1).argmax())])
    return found


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
