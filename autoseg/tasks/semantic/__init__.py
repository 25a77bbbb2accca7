"""Semantic segmentation: one class, or several overlapping regions, for each voxel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import DatasetError
from autoseg.spec.annotation import OUTSIDE, LabelMap, labels_of
from autoseg.spec.choice import Choice
from autoseg.spec.dataset import Dataset
from autoseg.tasks import TASKS
from autoseg.tasks.base import Array, Head, Pointwise, Task
from autoseg.tasks.losses import loss_of, losses_of
from autoseg.tasks.semantic.partly import Numbering, each_part
from autoseg.tasks.semantic.places import share_of
from autoseg.tasks.semantic.sides import sided_axes, turned_sides
from autoseg.tasks.semantic.sizes import is_one, measure_classes, pool_classes

IGNORE = "ignore"
UNKNOWN = -1  # no inner value that is read from a file
CHUNK = 2**18  # voxels looked up at once: NumPy makes eight bytes of each
HEAD = "classes"


@TASKS.register
class SemanticTask(Task):
    """Give each voxel one of K classes; class 0 is the background.

    In files, an annotation is an integer array of shape S with the values that
    ``labels`` names. The inner form numbers those values 0, 1, 2, ... in ascending
    order; the ignored value, if there is one, comes last, and ``-1`` marks voxels
    outside the image's nonzero region.

    Parameters
    ----------
    labels : mapping of str to int, or to list of int
        Values in files by class name; a list of several makes a region. Background is
        value 0, or the smallest value if none is called ``background``.
    regions_class_order : list of int, optional
        For regions: the value to paint for each region, later ones over earlier.
    ignore : int, optional
        Value of voxels that nobody annotated.
    partly : list of list of str, optional
        Sets of classes: each is all that some cases speak of.
    losses : mapping, optional
        By head, the loss that it is trained with: a name, or ``name`` and options.
    """

    score_options = ("tolerance",)
    settable = ("losses",)

    def __init__(
        self,
        labels: Mapping[str, int | Sequence[int]],
        regions_class_order: Sequence[int] | None = None,
        ignore: int | None = None,
        partly: Sequence[Sequence[str]] | None = None,
        losses: Mapping[str, Any] | None = None,
    ) -> None:
        self.labels = {
            name: tuple(value) if isinstance(value, (list, tuple)) else (value,)
            for name, value in labels.items()
        }
        self.order = regions_class_order
        self.ignore = ignore
        self.values = sorted({v for group in self.labels.values() for v in group})
        self._index = {value: i for i, value in enumerate(self.values)}
        if ignore is not None:
            self._index[ignore] = len(self.values)
        self.partial = Numbering(
            sets=partly or (),
            members={name: self._own_members(name) for name in self.classes},
            overlap=self.has_regions,
            values=len(self.values),
            first=len(self.values) + (ignore is not None),
        )
        self.losses = losses_of(losses)

    @classmethod
    def from_dataset(cls, dataset: Dataset) -> dict[str, Any]:
        from autoseg.tasks.semantic.labels import options_from_dataset

        return options_from_dataset(dataset)

    @classmethod
    def faults(cls, dataset: Dataset) -> list[str]:
        from autoseg.tasks.semantic.regions import label_faults

        given = cls.from_dataset(dataset)
        if "labels" not in given:  # a task of its own, with other options
            return []
        order, ignore = given.get("regions_class_order"), given.get(IGNORE)
        return label_faults(given["labels"], order, ignore)

    @property
    def has_regions(self) -> bool:
        """Whether classes may overlap; then each has a sigmoid output of its own."""
        return any(len(group) > 1 for group in self.labels.values())

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the foreground classes or regions, in the order they are scored."""
        return tuple(
            n for n, group in self.labels.items() if group != (self.values[0],)
        )

    @property
    def value_names(self) -> dict[int, str]:
        return {
            value: " + ".join(n for n, group in self.labels.items() if value in group)
            for value in self.values[1:]
        }

    @property
    def previous_channels(self) -> int:
        # One 0/1 channel for each label value but the background's, in ascending order
        # of the inner values 1, 2, ...: also where values are grouped to regions, and
        # without the ignored value. The rule is nnU-Net's.
        return len(self.values) - 1

    @property
    def ignore_index(self) -> int | None:
        """Inner value of ignored voxels."""
        return None if self.ignore is None else len(self.values)

    def members(self, name: str) -> tuple[int, ...]:
        """Return the inner values that make up a class or region."""
        own = self._own_members(name)
        return (*own, *self.partial.values_of(name)) if self.partial.sets else own

    def _own_members(self, name: str) -> tuple[int, ...]:
        return tuple(self._index[value] for value in self.labels[name])

    def unknown_values(self, name: str) -> tuple[int, ...]:
        silent = super().unknown_values(name)
        return (*silent, *self.partial.silent(name)) if self.partial.sets else silent

    @property
    def heads(self) -> tuple[Head, ...]:
        options: dict[str, Any] = {"ignore_index": self.ignore_index}
        if self.partial.sets:
            options["partly"] = [list(row) for row in self.partial.rows]
        if self.has_regions:
            options["regions"] = [list(self.members(name)) for name in self.classes]
            loss = Choice(name="dice_bce", options=options)
            channels, activation = len(self.classes), "sigmoid"
        else:
            loss = Choice(name="dice_ce", options=options)
            channels, activation = len(self.values), "softmax"
        return (
            Head(
                name=HEAD,
                channels=channels,
                activation=activation,
                loss=loss_of(self.losses, HEAD, loss),
            ),
        )

    @property
    def pointwise(self) -> Pointwise:
        return Pointwise(head=HEAD, painted=self.painted if self.has_regions else None)

    @property
    def planned_channels(self) -> int:
        # nnU-Net counts the entries of `labels`, with background and ignore.
        return len(self.labels) + (self.ignore is not None)

    def read(self, annotation: Any) -> NDArray[np.int16]:
        labels = np.asarray(annotation)
        if labels.dtype == bool:
            labels = labels.astype(np.uint8)
        if labels.dtype.kind in "iu" and labels.dtype.itemsize <= 2:
            inner = _looked_up(self._inner_of(labels.dtype), labels)
            if inner.min(initial=0) > UNKNOWN:
                return inner
        found = _values(labels)
        unknown = [value for value in found if value not in self._index]
        if unknown:
            known = ", ".join(str(value) for value in self._index)
            raise DatasetError(
                f"label value {', '.join(map(str, unknown[:8]))} is not among those "
                f"that have a name ({known}). Name it in `labels`, or correct the file."
            )
        inner = np.zeros(labels.shape, dtype=np.int16)
        for value in found:
            if self._index[value]:
                inner[labels == value] = self._index[value]
        return inner

    def _inner_of(self, kind: np.dtype[Any]) -> NDArray[np.int16]:
        """Return the inner values of all numbers of a short type, negative ones last.

        A negative number counts from the end of the table, as of any array.
        """
        limits = np.iinfo(kind)
        table = np.full(1 << limits.bits, UNKNOWN, dtype=np.int16)
        for value, inner in self._index.items():
            if limits.min <= value <= limits.max:
                table[value] = inner
        return table

    def partly(self, annotation: Any, annotated: Sequence[str]) -> Any:
        if set(annotated) >= set(self.classes):
            return annotation
        number = self.partial.set_of(annotated)
        labels = each_part(
            labels_of(annotation), lambda part: self.partial.known(part, number)
        )
        return LabelMap(labels, unknown=self.partial.unknown(number))

    def stored(self, annotation: Any) -> Any:
        if not isinstance(annotation, LabelMap) or not annotation.unknown:
            return super().stored(annotation)
        known = [name for name in self.classes if name not in annotation.unknown]
        number = self.partial.set_of(known)
        coded = each_part(
            annotation.labels, lambda part: self.partial.code(part, number)
        )
        return LabelMap(coded, background=self.partial.start(number))

    def write(self, annotation: Any) -> Array:
        labels = np.asarray(annotation)
        table = np.array([*self.values, self.ignore or 0, 0])  # index -1: the last
        table[-1] = self.values[0]
        low, high = table.min(), table.max()
        kinds = (np.uint8, np.uint16, np.int16, np.int32)
        kind = next(
            k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max
        )
        return _looked_up(table.astype(kind), labels)

    def measure(self, annotation: Any, spacing: tuple[float, ...]) -> dict[str, Any]:
        return measure_classes(
            labels_of(annotation), self._spoken_of(annotation), spacing
        )

    @classmethod
    def turned(
        cls, measured: Mapping[str, Any], axes: Sequence[int], flips: Sequence[int]
    ) -> Mapping[str, Any]:
        if "sides" not in measured:
            return measured
        return {**measured, "sides": turned_sides(measured["sides"], axes, flips)}

    @classmethod
    def pool(cls, measurements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return pool_classes(measurements)

    @classmethod
    def sided(cls, measured: Mapping[str, Any]) -> dict[int, str]:
        return sided_axes(measured.get("sides", {}))

    def _spoken_of(self, annotation: Any) -> dict[str, tuple[int, ...]]:
        """Return the inner values of the classes that an annotation speaks of."""
        unknown = annotation.unknown if isinstance(annotation, LabelMap) else ()
        return {n: self._own_members(n) for n in self.classes if n not in unknown}

    def foreground(self, annotation: Any) -> dict[str, Array]:
        labels = labels_of(annotation)
        places = {
            name: share_of(labels, partial(is_one, self.members(name)))
            for name in self.classes
        }
        if self.ignore_index is not None:
            unseen = (self.ignore_index, OUTSIDE)
            places["annotated"] = share_of(labels, lambda p: ~is_one(unseen, p))
        return places

    def encode(self, annotation: Any, spacing: tuple[float, ...]) -> dict[str, Array]:
        labels = np.asarray(annotation)
        if self.has_regions:
            groups = [self.members(name) for name in self.classes]
        else:
            groups = [(i,) for i in range(len(self.values))]
        masks = [np.isin(labels, group) for group in groups]
        return {HEAD: np.stack(masks).astype(np.float32)}

    def decode(
        self, outputs: Mapping[str, Array], spacing: tuple[float, ...]
    ) -> NDArray[np.int16]:
        output = outputs[HEAD]
        if not self.has_regions:
            result: NDArray[np.int16] = np.argmax(output, axis=0).astype(np.int16)
            return result
        labels = np.zeros(output.shape[1:], dtype=np.int16)
        for channel, value in zip(output, self.painted, strict=True):
            labels[channel > 0.5] = value
        return labels

    @property
    def painted(self) -> tuple[int, ...]:
        """For regions: the inner value to paint for each of them, in order."""
        return tuple(self._index[value] for value in self.order or ())

    def score(
        self,
        predicted: Any,
        reference: Any,
        spacing: tuple[float, ...],
        tolerance: float | None = None,
    ) -> dict[str, dict[str, float]]:
        from autoseg.metrics.segmentation import score_labels

        return score_labels(
            labels_of(predicted),
            labels_of(reference),
            spacing,
            self._spoken_of(reference),
            ignore=self.ignore_index,
            tolerance=tolerance,
        )

    @classmethod
    def example(cls) -> tuple[Task, NDArray[np.integer], tuple[float, ...]]:
        annotation = np.zeros((6, 8), dtype=np.int16)
        annotation[1:3, 2:5] = 1
        annotation[4:, 5:] = 2
        labels = {"background": 0, "cell": 1, "debris": 7}
        return cls(labels=labels), annotation, (0.5, 0.5)


def _looked_up(table: Array, labels: Array) -> Array:
    """Return ``table[labels]``, in pieces that stay in the processor's cache."""
    found = np.empty(labels.size, table.dtype)
    flat = labels.reshape(-1)
    for start in range(0, labels.size, CHUNK):
        part = slice(start, start + CHUNK)
        found[part] = table[flat[part]]
    return found.reshape(labels.shape)


def _values(labels: Array) -> list[int]:
    """Return the distinct values of an integer array, quickly when they are small."""
    if labels.size and labels.min() >= 0 and labels.max() < 65_536:
        counts = np.bincount(labels.ravel().astype(np.int64, copy=False))
        return [int(value) for value in np.flatnonzero(counts)]
    return [int(value) for value in np.unique(labels)]
