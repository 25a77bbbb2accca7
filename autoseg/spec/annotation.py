"""What an inner annotation can do, whatever its kind: a label map, instances, points.

Legend: S spatial shape, D axes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.arrays.windowed import Box, Windowed, pieces, windowed

Array = NDArray[Any]

OUTSIDE = -1  # inner label of voxels outside the nonzero region, as in nnU-Net
IGNORED = -2  # in a map of instances: voxels that nobody annotated


class Turning(Protocol):
    """A permutation of axes and flips: `autoseg.geometry.orientation.Turn`."""

    def apply(self, array: Array) -> Array:
        """Return a view of an array that is turned."""

    def apply_points(self, points: Array, shape: Sequence[int]) -> Array:
        """Return where points (L, D) of an array of a shape are when it is turned."""

    def shape_of(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of an array of a shape when it is turned."""


class Annotation(ABC):
    """What a person drew on a grid, or a machine.

    A label map is a plain integer array to everybody who works with it; `as_annotation`
    gives it these methods, and `inner` the array back.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Voxels of the grid along each axis, length D."""

    @property
    def inner(self) -> Any:
        """The annotation as its task has it."""
        return self

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Memory that it takes."""

    @property
    @abstractmethod
    def empty(self) -> bool:
        """Whether nothing is annotated."""

    @abstractmethod
    def turned(self, turn: Turning) -> Annotation:
        """Return it on the grid turned."""

    @abstractmethod
    def transposed(self, axes: Sequence[int]) -> Annotation:
        """Return it with the axes of the grid in another order."""

    @abstractmethod
    def cropped(self, box: Sequence[slice]) -> Annotation:
        """Return what lies in a box of the grid; each slice has a start and a stop."""

    @abstractmethod
    def resized(
        self, shape: Sequence[int], resample: Callable[[Array], Array]
    ) -> Annotation:
        """Return it on another grid that covers the same box.

        Parameters
        ----------
        shape : sequence of int, length D
            Of the other grid.
        resample : callable
            Brings a label map to that grid, for annotations that are one.
        """

    def masked(self, mask: NDArray[np.bool_]) -> Annotation:
        """Return it knowing where the image is, bool of shape S, as the losses do."""
        return self

    def region(self, ignored: int | None = None) -> NDArray[np.bool_] | None:
        """Return which voxels something is annotated at, shape S.

        Parameters
        ----------
        ignored : int, optional
            Label value that says that nobody has looked.

        Returns
        -------
        ndarray of bool, or None
            None: what is annotated has no inside.
        """
        return None

    def counts(self) -> dict[Any, int]:
        """Return how much of what is annotated on the grid, if that can be counted.

        Voxels by value of a label map, voxels by class of instances, points by name.
        """
        return {}

    @property
    def map(self) -> Array | None:
        """The integers of shape S that are stored for it, if it is stored as a map."""
        return None

    def to_stored(self) -> dict[str, Any]:
        """Return what is stored of it beside `map`, as JSON values by name."""
        return {}


@dataclass(frozen=True, eq=False)
class LabelMap(Annotation):
    """An integer array of shape S, with the methods of an annotation.

    It may be one that is read by windows; then what is made of it is so, too.
    ``numpy.asarray`` of it is the array.

    Parameters
    ----------
    labels : ndarray of int, shape S, or Windowed
        The array.
    unknown : tuple of str
        Names of the classes that it says nothing of: where it is background, they may
        be. Then it is handed around as it is, and not as an array.
    background : int
        The value of voxels that are of no class.
    """

    labels: Any
    unknown: tuple[str, ...] = ()
    background: int = 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Return the array."""
        labels = np.asarray(self.labels)
        if dtype is None or np.dtype(dtype) == labels.dtype:
            return labels.copy() if copy else labels
        return labels.astype(dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.labels.shape)

    @property
    def inner(self) -> Any:
        return self if self.unknown else self.labels

    @property
    def nbytes(self) -> int:
        return int(self.labels.nbytes)

    @property
    def empty(self) -> bool:
        return not any((part > 0).any() for part in pieces(self.labels))

    def turned(self, turn: Turning) -> LabelMap:
        return self._with(turn.apply(self.labels))

    def transposed(self, axes: Sequence[int]) -> LabelMap:
        return self._with(self.labels.transpose(*axes))

    def cropped(self, box: Sequence[slice]) -> LabelMap:
        return self._with(self.labels[tuple(box)])

    def resized(
        self, shape: Sequence[int], resample: Callable[[Array], Array]
    ) -> LabelMap:
        found = resample(self.labels)
        if not isinstance(found, Windowed):
            found = np.ascontiguousarray(found)
        return self._with(found)

    def _with(self, labels: Any) -> LabelMap:
        return replace(self, labels=labels)

    def masked(self, mask: NDArray[np.bool_]) -> LabelMap:
        """Return int16 or int32 with `OUTSIDE` for background outside of the mask."""
        if isinstance(self.labels, Windowed):
            return self._with(Windowed(_Masked(self.labels, mask, self.background)))
        labels = self.labels.astype(_kind(self.labels))
        labels[(labels == self.background) & ~mask] = OUTSIDE
        return self._with(labels)

    def region(self, ignored: int | None = None) -> Any:
        def inside(labels: Array) -> NDArray[np.bool_]:
            found: NDArray[np.bool_] = labels > 0
            if ignored is not None:
                found &= labels != ignored
            return found

        if isinstance(self.labels, Windowed):
            return self.labels.each(inside, np.bool_)
        return inside(self.labels)

    def counts(self) -> dict[Any, int]:
        """Return the voxels of each value that occurs."""
        total: dict[Any, int] = {}
        for part in pieces(self.labels):
            for value, count in _counted(part).items():
                total[value] = total.get(value, 0) + count
        return dict(sorted(total.items()))

    @property
    def map(self) -> Any:
        return self.labels


@dataclass(frozen=True, eq=False)
class _Masked:
    """A label map with `OUTSIDE` for background outside of a mask, as a source."""

    labels: Windowed
    mask: Any
    background: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        return self.labels.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(_kind(self.labels))

    def read(self, box: Box) -> Array:
        labels = np.array(self.labels[box], self.dtype)
        nothing = labels == self.background
        labels[nothing & ~np.asarray(self.mask[box])] = OUTSIDE
        return labels

    def let_go(self) -> None:
        self.labels.let_go()
        windowed(self.mask).let_go()


def _kind(labels: Any) -> type[np.signedinteger]:
    """Return the type of a label map that also holds `OUTSIDE`."""
    return np.int16 if np.can_cast(labels.dtype, np.int16) else np.int32


def _counted(labels: Array) -> dict[Any, int]:
    """Return how often each value occurs."""
    if labels.size and labels.min() >= 0 and labels.max() < 1 << 16:
        found = np.bincount(labels.ravel())
        return {int(value): int(found[value]) for value in np.flatnonzero(found)}
    values, found = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), found.tolist(), strict=True))


def as_annotation(annotation: Any) -> Annotation:
    """Return an inner annotation with its methods; an array is a label map.

    Parameters
    ----------
    annotation : Annotation, or array of int of shape S
        In inner form.

    Returns
    -------
    Annotation
        The same, or a `LabelMap` of the array.

    Examples
    --------
    >>> as_annotation(np.array([[0, 2]])).cropped((slice(0, 1), slice(1, 2))).inner
    array([[2]])
    """
    if isinstance(annotation, Annotation):
        return annotation
    if isinstance(annotation, Windowed):
        return LabelMap(annotation)
    return LabelMap(np.asarray(annotation))


def labels_of(annotation: Any) -> Any:
    """Return the label map of an inner annotation, ndarray or `Windowed` of shape S."""
    if isinstance(annotation, LabelMap):
        annotation = annotation.labels
    return annotation if isinstance(annotation, Windowed) else np.asarray(annotation)
