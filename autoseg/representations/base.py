"""The interface of a representation: instances as dense maps that a network can learn.

Legend: S spatial shape, C channels, D axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autoseg.representations.maps import boxes, in_order, numbered, without
from autoseg.spec.arrays.overlaps import Mask, painted
from autoseg.spec.head import Head

Array = NDArray[Any]
Ids = NDArray[np.int32]


SITUATIONS = ("apart", "crowded", "touching")
"""What instances of a data set are like: hardly any touch; they fill the image or have
few slices each; none of these."""
LAST = dict.fromkeys(SITUATIONS, 9)  # order: where no other is as good


class Representation(ABC):
    """A way to write instances as dense maps, and to read them back.

    Made as ``REPRESENTATIONS[name](axes, **options)``. NumPy and SciPy only: it names
    its losses and imports none.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.

    Attributes
    ----------
    tunable : mapping of str to sequence
        Options of `decode` alone that may be changed after training, with the values
        that are tried. Whole numbers count voxels.
    filters : mapping of str to JSON value
        Those of `tunable` that only drop instances, in the very end, and the value with
        which each drops none; see `amounts`.
    holds : bool
        It holds objects that overlap: see `Overlapping`. It is tried, and chosen, where
        objects do.
    order : mapping of str to int
        How early it is taken, the lowest first, where ceilings are about as good, in
        each of `SITUATIONS`. Empty: by its ceiling alone, where that is the best.
    """

    holds: ClassVar[bool] = False
    order: ClassVar[Mapping[str, int]] = {}
    tunable: ClassVar[Mapping[str, Sequence[Any]]] = {}
    filters: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, axes: int) -> None:
        self.axes = axes

    @classmethod
    def configure(cls, measured: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options for a data set.

        Parameters
        ----------
        measured : mapping
            What the instance task's `pool` gave: sizes in units of length, ``spacing``
            and ``axes``.
        """
        return {}

    @property
    @abstractmethod
    def heads(self) -> tuple[Head, ...]:
        """The outputs a network needs for it."""

    @abstractmethod
    def encode(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        """Return the perfect output of each head, float32 of shape (C, *S).

        Parameters
        ----------
        labels : ndarray of int32, shape S
            Ids; 0 and below are background. An instance that the array's edge cuts is
            represented as far as it is seen.
        spacing : sequence of float, length D
            Edge of a voxel.
        """

    def targets(self, labels: Ids, spacing: Sequence[float]) -> dict[str, Array]:
        """Return what losses learn: as `encode`, or integers (*S) for label losses."""
        return self.encode(labels, spacing)

    def unknown(
        self, labels: Ids, ignored: NDArray[np.bool_]
    ) -> dict[str, NDArray[np.bool_]]:
        """Return of which voxels a target cannot be known, by head.

        Parameters
        ----------
        labels : ndarray of int32, shape S
            Ids.
        ignored : ndarray of bool, shape S
            Where nobody annotated.

        Returns
        -------
        dict of str to ndarray of bool, shape S or (C, *S)
            Of heads for which it is not just where nobody annotated.
        """
        return {}

    @abstractmethod
    def decode(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> tuple[Ids, dict[int, float]]:
        """Return ids from 1 on, and how sure each of them is.

        Parameters
        ----------
        outputs : mapping of str to ndarray, shape (C, *S)
            Activated outputs of each head.
        spacing : sequence of float, length D
            Edge of a voxel.

        Returns
        -------
        labels : ndarray of int32, shape S
            Ids without gaps, in the order in which they first occur.
        scores : dict of int to float
            0 to 1, by id.
        """

    def amounts(
        self, labels: Ids, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> dict[str, Array]:
        """Return what `filters` look at, so that they can be tried without decoding.

        `decode` gives those instances that it would give with all of `filters` off and
        that have at least the option's value of each.

        Parameters
        ----------
        labels : ndarray of int32, shape S
            Ids from 1 on, decoded with `filters` off.
        outputs : mapping of str to ndarray, shape (C, *S)
            What they were decoded from.
        spacing : sequence of float, length D
            Edge of a voxel.

        Returns
        -------
        dict of str to ndarray, shape (N + 1,)
            For each of `filters`, by id; of the background anything.
        """
        return {}


class Overlapping(Representation):
    """A representation of objects that may overlap.

    `encode` and `targets` take maps (L, *S), in each of which objects do not overlap,
    or one map (*S). What it gives is read window by window, and the objects of windows
    are united, so that an output may mean something else in each of them. Mirrored
    copies are not looked at.

    Parameters
    ----------
    axes : int
        Number of spatial axes, D.

    Attributes
    ----------
    least : int
        Voxels of the smallest object.
    most : int or None
        How many objects a patch can hold; None: any number.
    same : float
        IoU over which the less sure of two objects is the other one again.
    """

    holds: ClassVar[bool] = True
    order: ClassVar[Mapping[str, int]] = LAST
    tunable: ClassVar[Mapping[str, Sequence[Any]]] = {"least": (1, 10, 20, 40, 80)}
    filters: ClassVar[Mapping[str, Any]] = {"least": 1}
    least: int = 1
    most: int | None = None
    same: float = 0.6

    @abstractmethod
    def every(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> list[tuple[Mask, float]]:
        """Return the objects of one window, however small, and how sure each is.

        Parameters
        ----------
        outputs : mapping of str to ndarray, shape (C, *S)
            Activated outputs of each head.
        spacing : sequence of float, length D
            Edge of a voxel.

        Returns
        -------
        list of (Mask, float)
            The surest first.
        """

    def find(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> list[tuple[Mask, float]]:
        """Return those of `every` that have at least `least` voxels."""
        found = self.every(outputs, spacing)
        return [(mask, score) for mask, score in found if mask.size >= self.least]

    def decode(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> tuple[Ids, dict[int, float]]:
        """Return the ids on top: of those that share a voxel, the surest.

        What a small one is on top of belongs to nobody.
        """
        labels, seen = self.on_top(outputs, spacing)
        small = np.array([False, *(mask.size < self.least for mask, _ in seen)])
        labels, old = in_order(without(labels, small))
        return labels, {n: seen[int(i) - 1][1] for n, i in enumerate(old, 1)}

    def amounts(
        self, labels: Ids, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> dict[str, Array]:
        """Return the voxels of each mask, also those that others are on top of."""
        _, seen = self.on_top(outputs, spacing)
        voxels = [mask.size for mask, _ in seen[: int(labels.max(initial=0))]]
        return {"least": np.array([0, *voxels])}

    def on_top(
        self, outputs: Mapping[str, Array], spacing: Sequence[float]
    ) -> tuple[Ids, list[tuple[Mask, float]]]:
        """Return the ids on top, and all objects in the order of their ids.

        Ids are in the order in which they first occur; those of objects that are wholly
        under surer ones come last.
        """
        shape = next(iter(outputs.values())).shape[1:]
        found = self.every(outputs, spacing)
        named = [(n, mask) for n, (mask, _) in enumerate(found, 1)]
        labels, old = in_order(painted(shape, named[::-1])[0])
        seen = [int(i) - 1 for i in old]
        hidden = sorted(set(range(len(found))) - set(seen))
        return labels, [found[n] for n in (*seen, *hidden)]


def layers_of(labels: Ids, axes: int) -> Ids:
    """Return maps (L, *S) from those, or from one map (*S)."""
    return labels[None] if labels.ndim == axes else labels


def held(labels: Ids, axes: int, count: int) -> Ids:
    """Return layers (L, *S) as so many, at least; of those added none has an object."""
    layers = layers_of(labels, axes)
    found = np.zeros((max(count, len(layers)), *layers.shape[1:]), np.int32)
    found[: len(layers)] = layers
    found[len(layers) :] = np.minimum(layers[0], 0)  # nobody annotated there either
    return found


def masks_in(layers: Ids) -> list[tuple[int, Mask]]:
    """Return the objects of maps (L, *S), in the order of their ids."""
    found = []
    for layer in layers:
        labels, _ = numbered(layer)
        for number, box in enumerate(boxes(labels), 1):
            inside = labels[box] == number
            place = np.unravel_index(int(inside.argmax()), inside.shape)
            start = tuple(part.start for part in box)
            at = tuple(s + int(p) for s, p in zip(start, place, strict=True))
            found.append((int(layer[at]), Mask(start, inside)))
    return sorted(found, key=lambda one: one[0])
