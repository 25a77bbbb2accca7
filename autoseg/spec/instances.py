"""Instances: a map of ids, and what is known about each of them.

Legend: S spatial shape.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.annotation import IGNORED, Annotation, LabelMap, Turning
from autoseg.spec.arrays.overlaps import Mask, Shares, coded, members_of, on_top

Array = NDArray[Any]

_NOTHING: Mapping[int, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Arranged(Annotation):
    """A map of ids in which each set of objects that share voxels has a value, too.

    ``numpy.asarray`` of it is the map of the ids on top.

    Parameters
    ----------
    codes : ndarray of int, shape S
        Ids, and for shared voxels ``base`` plus the position of their set. Values
        below 1 are as in a map of ids.
    sets : tuple of tuple of int
        The objects that share voxels, the one on top first, and then by their ids.
    base : int
        Larger than every id.
    """

    codes: Array
    sets: tuple[tuple[int, ...], ...]
    base: int

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return the map of the ids on top."""
        found = on_top(self.codes, self.shares)
        return found if dtype is None else found.astype(dtype)

    @property
    def shares(self) -> Shares:
        """What the values of shared voxels mean."""
        return Shares(self.sets, self.base)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.codes.shape

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes

    @property
    def empty(self) -> bool:
        return not (self.codes > 0).any()

    def turned(self, turn: Any) -> Arranged:
        return self._with(LabelMap(self.codes).turned(turn))

    def transposed(self, axes: Sequence[int]) -> Arranged:
        return self._with(LabelMap(self.codes).transposed(axes))

    def cropped(self, box: Sequence[slice]) -> Arranged:
        return self._with(LabelMap(self.codes).cropped(box))

    def resized(self, shape: Sequence[int], resample: Any) -> Arranged:
        return self._with(LabelMap(self.codes).resized(shape, resample))

    def masked(self, mask: NDArray[np.bool_]) -> Arranged:
        return self._with(LabelMap(self.codes).masked(mask))

    def region(self, ignored: int | None = None) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = self.codes > 0
        return inside

    @property
    def map(self) -> Array:
        return self.codes

    def to_stored(self) -> dict[str, Any]:
        return {"shares": self.shares.to_json()}

    def _with(self, found: LabelMap) -> Arranged:
        return Arranged(found.labels, self.sets, self.base)


def arrange(labels: Array, masks: Mapping[int, Mask]) -> Arranged:
    """Return a map of ids and whole masks as one map.

    Parameters
    ----------
    labels : ndarray of int32, shape S
        Ids of the objects on top.
    masks : mapping of int to Mask
        The whole mask of each object that shares voxels.
    """
    codes, shares = coded(labels, masks)
    return Arranged(codes, shares.sets, shares.base)


@dataclass(frozen=True, eq=False)
class Instances(Annotation):
    """The inner annotation of an instance task.

    ``numpy.asarray`` of it is the map of ids.

    Parameters
    ----------
    labels : ndarray of int32, shape S
        Id of the instance at each voxel; 0 is background, `IGNORED` what nobody
        annotated. Ids are positive, need not be consecutive, and keep their meaning
        only within the case.
    classes : mapping of int to int
        Class of each id, as `labels` of dataset.json numbers them. Ids that are not in
        it have class 1.
    scores : mapping of int to float
        Of a prediction: how sure the model is of each id, 0 to 1. Empty for what a
        person drew.
    masks : mapping of int to Mask
        The whole mask of each object that shares voxels with another one; empty where
        nothing overlaps. In ``labels`` such voxels belong to the object on top: of an
        annotation the one that its file has later, of a prediction the surest.
    unknown : tuple of int
        Classes that nobody annotated: where no instance is, there may be one of them.
    """

    labels: NDArray[np.int32]
    classes: Mapping[int, int] = field(default_factory=lambda: _NOTHING)
    scores: Mapping[int, float] = field(default_factory=lambda: _NOTHING)
    masks: Mapping[int, Mask] = field(default_factory=lambda: _NOTHING)
    unknown: tuple[int, ...] = ()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return the map of ids."""
        if dtype is None or np.dtype(dtype) == self.labels.dtype:
            return self.labels.copy() if copy else self.labels
        return self.labels.astype(dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.labels.shape

    @property
    def nbytes(self) -> int:
        return self.labels.nbytes + sum(m.inside.nbytes for m in self.masks.values())

    @property
    def empty(self) -> bool:
        return self._map.empty

    def turned(self, turn: Turning) -> Instances:
        return self._on(self._map.turned(turn))

    def transposed(self, axes: Sequence[int]) -> Instances:
        return self._on(self._map.transposed(axes))

    def cropped(self, box: Sequence[slice]) -> Instances:
        return self._on(self._map.cropped(box))

    def resized(
        self, shape: Sequence[int], resample: Callable[[Array], Array]
    ) -> Instances:
        return self._on(self._map.resized(shape, resample))

    def masked(self, mask: NDArray[np.bool_]) -> Instances:
        return self._on(self._map.masked(mask))

    def region(self, ignored: int | None = None) -> NDArray[np.bool_]:
        return self._map.region()

    def counts(self) -> dict[Any, int]:
        found: Counter[int] = Counter()
        for instance, voxels in LabelMap(self.labels).counts().items():
            if instance > 0:
                found[self.class_of(instance)] += voxels
        return dict(found)

    @property
    def map(self) -> Array:
        return self.labels

    @property
    def _map(self) -> LabelMap | Arranged:
        """What moves: the map of ids, or where objects overlap, that of all of them."""
        return self.arranged if self.masks else LabelMap(self.labels)

    @property
    def arranged(self) -> Arranged:
        """All that it holds as one map."""
        return arrange(self.labels, self.masks)

    def _on(self, ids: Annotation) -> Instances:
        if isinstance(ids, Arranged):
            masks = dict(members_of(ids.codes, ids.shares))
            return replace(self, labels=on_top(ids.codes, ids.shares), masks=masks)
        return replace(self, labels=LabelMap(ids.inner).labels)

    @property
    def ignored(self) -> NDArray[np.bool_] | None:
        """Where nobody annotated, shape S; None: everything is annotated."""
        return ignored_in(self.labels)

    def ignoring(self, where: NDArray[np.bool_]) -> Instances:
        """Return it knowing where nobody annotated, bool of shape S."""
        labels = np.where(where, IGNORED, self.labels).astype(np.int32, copy=False)
        return replace(self, labels=labels)

    @property
    def spoken_of(self) -> Instances:
        """What it says of the classes that were annotated: see `unknown`.

        Where none of their instances is, nobody has looked, so far as losses know.
        """
        if not self.unknown:
            return self
        known = self.without([i for i in self.ids if self.class_of(i) in self.unknown])
        return known.ignoring(known.labels <= 0)

    @property
    def ids(self) -> list[int]:
        """The ids of all objects, in ascending order."""
        found = ids_of(self.labels)
        return sorted({*found, *self.masks}) if self.masks else found

    def mask_of(self, instance: int, box: Sequence[slice] | None = None) -> Mask:
        """Return the whole mask of an object.

        Parameters
        ----------
        instance : int
            Its id.
        box : sequence of slice, optional
            Where it is, if that is known.
        """
        if instance in self.masks:
            return self.masks[instance]
        if box is None:
            return Mask.of_places(np.nonzero(self.labels == instance))
        start = tuple(part.start for part in box)
        return Mask(start, self.labels[tuple(box)] == instance)

    def without(self, ids: Collection[int]) -> Instances:
        """Return it without some objects; what they hid is seen again."""
        gone = np.isin(self.labels, list(ids))
        labels = np.where(gone, 0, self.labels).astype(np.int32, copy=False)
        masks = {i: mask for i, mask in self.masks.items() if i not in ids}
        if masks:
            for i, mask in masks.items():
                part = labels[mask.box]
                part[mask.inside & (part == 0)] = i
            arranged = arrange(labels, masks)
            masks = dict(members_of(arranged.codes, arranged.shares))
        return Instances(
            labels=labels,
            classes={i: k for i, k in self.classes.items() if i not in ids},
            scores={i: s for i, s in self.scores.items() if i not in ids},
            masks=masks,
        )

    def class_of(self, instance: int) -> int:
        """Return the class of an id."""
        return self.classes.get(instance, 1)

    def only(self, class_number: int) -> Instances:
        """Return the instances of one class; the others become background.

        Examples
        --------
        >>> both = Instances(np.array([[1, 2]], np.int32), {1: 1, 2: 5})
        >>> both.only(5).labels.tolist()
        [[0, 2]]
        """
        keep = [i for i in self.ids if self.class_of(i) == class_number]
        if self.masks:
            return self.without(set(self.ids).difference(keep))
        labels = np.where(np.isin(self.labels, keep), self.labels, 0)
        return Instances(
            labels=labels.astype(np.int32),
            classes={i: class_number for i in keep},
            scores={i: self.scores[i] for i in keep if i in self.scores},
        )


def as_instances(annotation: Any) -> Instances:
    """Return instances as they are, and a map of ids as instances of class 1."""
    if isinstance(annotation, Instances):
        return annotation
    return Instances(np.asarray(annotation).astype(np.int32, copy=False))


def ignored_in(labels: Array) -> NDArray[np.bool_] | None:
    """Return where an inner map of ids is `IGNORED`; None: nowhere."""
    where: NDArray[np.bool_] = labels == IGNORED
    return where if where.any() else None


def ids_of(labels: Array) -> list[int]:
    """Return the positive values of an integer array, in ascending order."""
    found = np.unique(labels)
    return [int(value) for value in found[found > 0]]
