"""Semantic segmentation: one class, or several overlapping regions, for each voxel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import DatasetError
from autoseg.geometry.slabs.components import SLAB, component_sizes
from autoseg.spec.annotation import OUTSIDE
from autoseg.spec.arrays.windowed import Windowed, pieces
from autoseg.spec.choice import Choice
from autoseg.spec.dataset import Dataset
from autoseg.tasks import TASKS
from autoseg.tasks.base import Array, Head, Pointwise, Task

IGNORE = "ignore"
MOST_INDICES = 10_000  # foreground voxels kept for each class of a case
LEAST_SHARE = 0.01  # ... but at least this share of them, as in nnU-Net


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
    """

    score_options = ("tolerance",)

    def __init__(
        self,
        labels: Mapping[str, Any],
        regions_class_order: Sequence[int] | None = None,
        ignore: int | None = None,
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
        return tuple(self._index[value] for value in self.labels[name])

    @property
    def heads(self) -> tuple[Head, ...]:
        options: dict[str, Any] = {"ignore_index": self.ignore_index}
        if self.has_regions:
            options["regions"] = [list(self.members(name)) for name in self.classes]
            loss = Choice(name="dice_bce", options=options)
            channels, activation = len(self.classes), "sigmoid"
        else:
            loss = Choice(name="dice_ce", options=options)
            channels, activation = len(self.values), "softmax"
        return (
            Head(name="classes", channels=channels, activation=activation, loss=loss),
        )

    @property
    def pointwise(self) -> Pointwise:
        return Pointwise(
            head="classes", painted=self.painted if self.has_regions else None
        )

    @property
    def planned_channels(self) -> int:
        # nnU-Net counts the entries of `labels`, with background and ignore.
        return len(self.labels) + (self.ignore is not None)

    def read(self, annotation: Any) -> NDArray[np.int16]:
        labels = np.asarray(annotation)
        if labels.dtype == bool:
            labels = labels.astype(np.uint8)
        found = _values(labels)
        unknown = [value for value in found if value not in self._index]
        if unknown:
            known = ", ".join(str(value) for value in self._index)
            raise DatasetError(
                f"label value {', '.join(map(str, unknown[:8]))} is not in "
                f"dataset.json (which knows {known}). Add it to `labels`, or correct "
                "the file."
            )
        inner = np.zeros(labels.shape, dtype=np.int16)
        for value in found:
            if self._index[value]:
                inner[labels == value] = self._index[value]
        return inner

    def write(self, annotation: Any) -> Array:
        labels = np.asarray(annotation)
        table = np.array([*self.values, self.ignore or 0, 0])  # index -1: the last
        table[-1] = self.values[0]
        low, high = table.min(), table.max()
        kinds = (np.uint8, np.uint16, np.int16, np.int32)
        kind = next(
            k for k in kinds if np.iinfo(k).min <= low and high <= np.iinfo(k).max
        )
        written: Array = table.astype(kind)[labels]
        return written

    def measure(self, annotation: Any, spacing: tuple[float, ...]) -> dict[str, Any]:
        labels = (
            annotation if isinstance(annotation, Windowed) else np.asarray(annotation)
        )
        volume = math.prod(spacing)
        result: dict[str, Any] = {}
        for name in self.classes:
            members = self.members(name)
            masks = (_is_one(members, part) for part in pieces(labels, SLAB))
            counts = component_sizes(masks, labels.ndim)
            voxels, sizes = int(counts.sum()), (counts * volume).tolist()
            result[name] = {
                "cases": 1,
                "cases_present": int(voxels > 0),
                "voxels": voxels,
                "all_voxels": int(labels.size),
                "objects": len(sizes),
                "object_size_logs": _size_histogram(sizes),
            }
        return {"classes": result}

    @classmethod
    def pool(cls, measurements: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        pooled: dict[str, Any] = {}
        for measured in measurements:
            for name, numbers in measured["classes"].items():
                total = pooled.setdefault(name, {"object_size_logs": {}})
                for key, value in numbers.items():
                    if key == "object_size_logs":
                        for size, count in value.items():
                            logs = total[key]
                            logs[size] = logs.get(size, 0) + count
                    else:
                        total[key] = total.get(key, 0) + value
        for numbers in pooled.values():
            numbers["frequency"] = numbers["voxels"] / max(1, numbers["all_voxels"])
            numbers["median_object_size"] = _median_size(numbers["object_size_logs"])
        return {"classes": pooled}

    def foreground(self, annotation: Any) -> dict[str, Array]:
        labels = (
            annotation if isinstance(annotation, Windowed) else np.asarray(annotation)
        )
        places = {
            name: _share(labels, partial(_is_one, self.members(name)))
            for name in self.classes
        }
        if self.ignore_index is not None:
            unseen = (self.ignore_index, OUTSIDE)
            places["annotated"] = _share(labels, lambda p: ~_is_one(unseen, p))
        return places

    def encode(self, annotation: Any, spacing: tuple[float, ...]) -> dict[str, Array]:
        labels = np.asarray(annotation)
        if self.has_regions:
            groups = [self.members(name) for name in self.classes]
        else:
            groups = [(i,) for i in range(len(self.values))]
        masks = [np.isin(labels, group) for group in groups]
        return {"classes": np.stack(masks).astype(np.float32)}

    def decode(
        self, outputs: Mapping[str, Array], spacing: tuple[float, ...]
    ) -> NDArray[np.int16]:
        output = outputs["classes"]
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
            np.asarray(predicted),
            np.asarray(reference),
            spacing,
            {name: self.members(name) for name in self.classes},
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


def _values(labels: Array) -> list[int]:
    """Return the distinct values of an integer array, quickly when they are small."""
    if labels.size and labels.min() >= 0 and labels.max() < 65_536:
        counts = np.bincount(labels.ravel().astype(np.int64, copy=False))
        return [int(value) for value in np.flatnonzero(counts)]
    return [int(value) for value in np.unique(labels)]


def _share(labels: Any, function: Callable[[Array], Array]) -> Array:
    """Keep a fair, reproducible share of where a function is true, evenly spread.

    Returns
    -------
    ndarray of uint32 or uint64
        Linear indices, ascending.
    """
    places = partial(_places, labels, function)
    if not isinstance(labels, Windowed):
        once = list(places())
        places = partial(iter, once)
    counts = [len(part) for part in places()]
    total = sum(counts)
    keep = max(MOST_INDICES, math.ceil(LEAST_SHARE * total))
    if total <= keep:
        found = list(places())
    else:
        drawn = np.random.default_rng(1234).choice(total, keep, replace=False)
        ends = np.cumsum([0, *counts])
        ranks = np.sort(drawn)
        cuts = np.searchsorted(ranks, ends)
        found = [
            part[ranks[low:high] - first]
            for part, low, high, first in zip(
                places(), cuts[:-1], cuts[1:], ends[:-1], strict=True
            )
        ]
    indices = np.concatenate(found)
    return indices.astype(
        np.uint32 if not len(indices) or indices[-1] < 2**32 else np.uint64
    )


def _places(
    labels: Any, function: Callable[[Array], Array]
) -> Iterator[NDArray[np.intp]]:
    """Yield the linear indices of where a function is true, part by part."""
    first = 0
    for part in pieces(labels):
        yield np.flatnonzero(function(part)) + first
        first += part.size


def _is_one(members: Sequence[int], labels: Array) -> Array:
    mask: Array = labels == members[0]
    for value in members[1:]:
        mask |= labels == value
    return mask


def _size_histogram(sizes: Sequence[float]) -> dict[str, int]:
    """Count sizes in bins of a tenth of a decade; the key is 10 * log10(size)."""
    bins: dict[str, int] = {}
    for size in sizes:
        key = str(round(10 * math.log10(size)))
        bins[key] = bins.get(key, 0) + 1
    return bins


def _median_size(bins: Mapping[str, int]) -> float | None:
    """Return the median size of a histogram of `_size_histogram`, to a bin's width."""
    half = sum(bins.values()) / 2
    for key in sorted(bins, key=int):
        half -= bins[key]
        if half <= 0:
            return float(10 ** (int(key) / 10))
    return None
