"""Segments of 3D Slicer's files as label maps: their names say which label is meant.

Where no name is that of a label, or names agree with the values in the file, values
count, as in every other file. Letters: L layers, S space.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.series.drawn import aliases_of, all_values
from autoseg.dicom.annotation import plain
from autoseg.errors import FormatError, some_of
from autoseg.formats.base import find_format
from autoseg.formats.header import measured_in, with_remarks
from autoseg.formats.names import NRRD, Segment, mask_of, read_segments
from autoseg.spec.arrays.windowed import Windowed
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry

Array = NDArray[Any]
Values = frozenset[int]
BACKGROUND, IGNORE = "background", "ignore"
GENERIC = re.compile(r"(segment|label)?[\s_-]*\d*", re.IGNORECASE)  # nobody's names


@dataclass(frozen=True)
class Known:
    """The labels of a data set, as segments may be called.

    Parameters
    ----------
    values : mapping of str to frozenset of int
        By plain name; a region has several values.
    renamed : mapping of str to str
        Other names, plain ones, with the name that is meant.
    background : int
        Value of what is nothing.
    """

    values: Mapping[str, Values]
    renamed: Mapping[str, str]
    background: int = 0

    def of(self, segment: Segment) -> Values | None:
        """Return the values that a segment may have; None: no label is called so."""
        names = [plain(name) for name in (segment.name, *segment.also)]
        meant = [self.renamed.get(name, name) for name in names]
        return next((self.values[n] for n in meant if n in self.values), None)

    def value(self, groups: Sequence[Values], present: Values) -> tuple[int, bool]:
        """Return the value of a voxel, and whether its segments exclude each other.

        Parameters
        ----------
        groups : sequence of frozenset of int
            The values that each group of segments of a file may have.
        present : frozenset of int
            Which groups the voxel is in.
        """
        if not present:
            return self.background, False
        inside = frozenset.intersection(*(groups[n] for n in present))
        if not inside:
            return max(min(groups[n], key=self._regions) for n in present), True
        exact = [
            value
            for value in inside
            if all((value in v) == (n in present) for n, v in enumerate(groups))
        ]
        return min(exact or inside, key=self._regions), False

    def _regions(self, value: int) -> tuple[int, int]:
        """Return in how many labels a value is: the fewest are meant."""
        return sum(value in values for values in self.values.values()), value


def known_of(dataset: Dataset | None, names: Mapping[int, str]) -> Known:
    """Return how labels are called in files.

    Parameters
    ----------
    dataset : Dataset or None
        With labels, codes and other names, where it is known.
    names : mapping of int to str
        Of label values, as predictions are written.
    """
    raw = {} if dataset is None else dataset.raw
    labels = all_values(raw)
    values = {plain(name): frozenset([value]) for value, name in names.items()}
    values |= {plain(name): frozenset(of) for name, of in labels.items()}
    background = min(labels.get(BACKGROUND, [0]))
    values[BACKGROUND] = frozenset([background])
    aliases = {} if dataset is None else aliases_of(dataset)
    renamed = {plain(name): plain(label) for name, label in aliases.items()}
    return Known(values, renamed, background)


def named_values(segments: Sequence[Segment], known: Known) -> dict[int, Values] | None:
    """Return what segments mean by their names; None: their values count.

    Parameters
    ----------
    segments : sequence of Segment
        Of one file.
    known : Known
        The labels.

    Returns
    -------
    dict of int to frozenset of int, or None
        By position of the segment; those that no label names are left out.
    """
    found = {n: values for n, one in enumerate(segments) if (values := known.of(one))}
    every = frozenset().union(*known.values.values())
    foreign = any(  # a structure that the data set does not have, beside those it has
        n not in found and one.value not in every and not GENERIC.fullmatch(one.name)
        for n, one in enumerate(segments)
    )
    stored = {one.value == one.stored for one in segments}
    layers = {one.layer for one in segments}
    agree = all(segments[n].value in values for n, values in found.items())
    plainly = agree and stored == {True} and not (found and foreign)
    if plainly and (len(layers) == 1 or not found):
        return None
    return found


def read_by_name(
    path: Path, dataset: Dataset | None, names: Mapping[int, str], lazily: bool
) -> tuple[Any, Geometry] | None:
    """Read a file of segments by their names.

    Parameters
    ----------
    path : Path
        An annotation.
    dataset, names
        See `known_of`.
    lazily : bool
        See `autoseg.formats.base.Format.read_labels`.

    Returns
    -------
    labels : ndarray of int32 or Windowed, shape S
        With the values of the labels.
    geometry : Geometry
        Of the file; its notes say what was left out.

    None stands for both where the file has no segments, or their values count.

    Raises
    ------
    FormatError
        If values are of no segment, or of several and no name is known.
    """
    if not path.name.lower().endswith(NRRD) or not path.is_file():
        return None
    segments = read_segments(path)
    known = known_of(dataset, names)
    meant = named_values(segments, known) if segments else None
    if meant is None:
        return None
    if not meant:
        raise FormatError(
            f"{path} has the segments {some_of([one.name for one in segments])}, which "
            f"share values, and no label of the data set is called so: name them as "
            f"{some_of([name for name in known.values if name != BACKGROUND])}."
        )
    remarks, notes = _left_out(segments, meant, known)
    format = find_format(path, None if dataset is None else dataset.format)
    given = (dataset.spacing, dataset.unit) if dataset is not None else (None, None)
    if {one.layer for one in segments} == {0}:
        table = _Table(segments, meant, known, path)
        labels, geometry = format.read_labels(
            path, spacing=given[0], unit=given[1], lazily=lazily
        )
        if isinstance(labels, Windowed):
            named: Any = labels.each(table, np.int32)
        else:
            named = table(labels)
    else:
        layers, geometry = format.load(path, *given, None)
        named, shared = _painted(layers, segments, meant, known, path)
        if shared:
            notes.append(
                f"{shared} voxels are in several of its segments that exclude each "
                "other; the larger value of dataset.json counts there"
            )
    geometry = measured_in(geometry, None if dataset is None else dataset.lengths)
    return named, with_remarks(geometry, remarks, notes)


def _left_out(
    segments: Sequence[Segment], meant: Mapping[int, Values], known: Known
) -> tuple[list[str], list[str]]:
    """Return what to warn of, and to note: segments that no label names."""
    others = [one.name for n, one in enumerate(segments) if n not in meant]
    if not others:
        return [], []
    found = (
        f"its segments {some_of(others)} are in no label of dataset.json, and are left "
        "out"
    )
    there = {known.background}.union(*meant.values())
    lacking = [
        name
        for name, values in known.values.items()
        if not values & there and name != IGNORE
    ]
    lost = [
        f"it has no segment called {some_of(lacking)}: is one of those left out it?"
    ]
    return lost if lacking else [], [found]


class _Table:
    """Values of labels by the values in a file that is one layer."""

    def __init__(
        self,
        segments: Sequence[Segment],
        meant: Mapping[int, Values],
        known: Known,
        path: Path,
    ) -> None:
        table = {0: known.background}
        groups = list(dict.fromkeys(meant.values()))
        for number, segment in enumerate(segments):
            there = [groups.index(meant[number])] if number in meant else []
            value, _ = known.value(groups, frozenset(there))
            if table.setdefault(segment.stored, value) != value:
                raise FormatError(
                    f"{path}: its header gives the value {segment.stored} to "
                    f"{segment.name!r} and to another segment of the same layer. Get "
                    "or write it again."
                )
        self.path, self._stored = path, np.array(sorted(table))
        self._values = np.array([table[n] for n in sorted(table)], np.int32)

    def __call__(self, labels: Array) -> NDArray[np.int32]:
        at = np.searchsorted(self._stored, labels).clip(max=len(self._stored) - 1)
        unnamed = np.unique(labels[self._stored[at] != labels])
        if len(unnamed):
            raise FormatError(
                f"{self.path}: no segment in its header has the value "
                f"{some_of([str(value) for value in unnamed])}. Get or write it again."
            )
        return np.asarray(self._values[at])


def _painted(
    layers: Array,
    segments: Sequence[Segment],
    meant: Mapping[int, Values],
    known: Known,
    path: Path,
) -> tuple[NDArray[np.int32], int]:
    """Return the label of each voxel, and how many are in what exclude each other."""
    groups = list(dict.fromkeys(meant.values()))
    state = np.zeros(layers.shape[1:], np.int32)
    sets: list[Values] = [frozenset()]
    for number, values in enumerate(groups):
        mask = np.zeros(state.shape, bool)
        for place, of in meant.items():
            if of == values:
                mask |= mask_of(segments[place], layers, path)
        for before in np.unique(state[mask]):
            state[mask & (state == before)] = len(sets)
            sets.append(sets[before] | {number})
    found = [known.value(groups, present) for present in sets]
    odd = np.array([both for _, both in found])
    return np.array([value for value, _ in found], np.int32)[state], int(
        odd[state].sum()
    )
