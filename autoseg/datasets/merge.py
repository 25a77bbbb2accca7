"""Several data sets in one: their labels are united by name.

What one data set does not name, its cases say nothing of: ``annotated`` of the new
dataset.json says so. Images are not copied; the new data set names their places.
"""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.kinds import kind_of
from autoseg.datasets.read import load_dataset
from autoseg.datasets.series.drawn import single_values
from autoseg.datasets.series.maps import read_map
from autoseg.errors import DatasetError, UsageError, amount, some_of
from autoseg.formats.base import find_format
from autoseg.outputs import must_be_folder
from autoseg.spec.dataset import KEY, Case, Dataset
from autoseg.spec.foreign.looks import united_looks
from autoseg.spec.json import dumps, write_text
from autoseg.tasks import choose_task, make_task
from autoseg.workspace import find_dataset, find_root

IGNORE, BACKGROUND = "ignore", "background"
# What has to be the same everywhere, since a data set has it once.
SHARED = ("task", "spacing", "unit", "format", "crop")
KEPT = (
    "mirror_pairs",
    "missing_means",
    "coordinates",
    "components",
    "crowds",
    "stuff",
    "drawn",
    "diameter",
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Names and values of classes, of one data set or of several.

    Parameters
    ----------
    values : mapping of str to int, or to list of int
        ``labels`` of dataset.json; of landmarks, their numbers.
    order : tuple of int, or None
        ``regions_class_order``.
    """

    values: Mapping[str, Any]
    order: tuple[int, ...] | None = None


def merge(
    datasets: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
) -> Path:
    """Make one data set of several.

    Parameters
    ----------
    datasets : sequence of str or path
        Two or more, of one task and with the same channels.
    output : path
        The folder of the new data set; it must not be there yet, or be empty.
    root : path, optional
        ROOT, for data sets that are given by name.

    Returns
    -------
    Path
        The folder. In it is a dataset.json, with the place of every file, and those
        label maps whose values had to change.

    Raises
    ------
    UsageError
        If there are fewer than two, or the folder holds something.
    DatasetError
        If they cannot be united; with what differs.
    """
    if len(datasets) < 2:
        raise UsageError("give two data sets or more; one needs no merging.")
    folder = Path(os.path.abspath(output))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} holds something, and nothing is overwritten.")
    must_be_folder(folder)
    place = find_root(root)
    parts = [load_dataset(find_dataset(one, place)) for one in datasets]
    twice = [
        str(folder)
        for folder, count in Counter(part.folder.resolve() for part in parts).items()
        if count > 1
    ]
    if twice:
        raise UsageError(f"{some_of(twice)} is given twice.")
    _must_fit(parts)
    raw = _united(parts, folder)
    write_text(folder / "dataset.json", dumps(raw))
    load_dataset(folder)  # whatever is wrong with it is said here
    _tell(parts, folder, raw.get(KEY, {}), len(raw["dataset"]))
    return folder


def _united(parts: Sequence[Dataset], folder: Path) -> dict[str, Any]:
    """Return the new dataset.json; label maps are written if need be."""
    labels, names = _one_value_each(parts), _names(parts)
    listed: dict[str, Any] = {}
    groups: dict[str, str] = {}
    annotated: dict[str, list[str]] = {}
    every = _classes(labels)
    for number, part in enumerate(parts):
        own = _classes(_labels_of(part))
        for case in part.training:
            name = names[number, case.id]
            listed[name] = _entry(part, case, name, labels, folder)
            said = [n for n in case.annotated or own if n in own]
            if set(said) < set(every):
                annotated[name] = said
            if case.group is not None:
                groups[name] = f"{part.name}: {case.group}"
    raw = _description(parts, labels)
    raw |= {"groups": groups} if groups else {}
    raw |= {KEY: annotated} if annotated else {}
    return raw | {"dataset": listed, "numTraining": len(listed)}


def _must_fit(parts: Sequence[Dataset]) -> None:
    """Raise DatasetError with everything in which data sets cannot be united."""
    first, problems = parts[0], []
    for part in parts[1:]:
        both = f"{first.name} and {part.name}"
        if part.channel_names != first.channel_names:
            problems.append(
                f"{both} have the channels {', '.join(first.channel_names)} and "
                f"{', '.join(part.channel_names)}; they must be the same, in one order"
            )
        for key in SHARED:
            mine, other = getattr(first, key), getattr(part, key)
            if mine != other:
                problems.append(f"`{key}` of {both} is {mine!r} and {other!r}")
        for key in KEPT:
            mine, other = first.raw.get(key), part.raw.get(key)
            if mine != other:
                problems.append(f"`{key}` of {both} is {mine!r} and {other!r}")
    for part in parts:
        missing = [c.id for c in part.training if c.annotation is None]
        if missing or not part.training:
            problems.append(f"{part.name} has no annotation of {some_of(missing)}")
    if problems:
        listed = "\n".join(f"  {problem}" for problem in dict.fromkeys(problems))
        raise DatasetError(f"The data sets cannot be united:\n{listed}")


def _labels_of(part: Dataset) -> Labels:
    options = choose_task(part).options
    if "landmarks" in options:
        return Labels(values={name: 0 for name in options["landmarks"]})
    values = {**options.get("labels", {}), **options.get("stuff", {})}
    drawn = make_task(choose_task(part)).values
    if drawn:  # of a label map the smallest value is background, whatever its name
        values = {BACKGROUND if v == min(drawn) else n: v for n, v in values.items()}
    if IGNORE in options:
        values[IGNORE] = options[IGNORE]
    order = options.get("regions_class_order")
    return Labels(values=values, order=None if order is None else tuple(order))


def _one_value_each(parts: Sequence[Dataset]) -> Labels:
    """Return the labels of all, each with one value; the first data set's stay."""
    found = [_labels_of(part) for part in parts]
    _refuse_nearly_same(parts, found)
    if any(one.order is not None for one in found):
        if any(one != found[0] for one in found):
            raise DatasetError(
                "The data sets cannot be united: regions overlap, so all must have the "
                "same `labels` and `regions_class_order`. Name the parts as classes."
            )
        return found[0]
    maps = kind_of(parts[0]).maps_first and make_task(choose_task(parts[0])).learns_map
    values: dict[str, int] = {}
    for part, one in zip(parts, found, strict=True):
        for name, value in one.values.items():
            if name in values:
                if values[name] != value and not maps and "landmarks" not in part.raw:
                    raise DatasetError(
                        f"The data sets cannot be united: {name!r} has the number "
                        f"{values[name]} in one and {value} in {part.name}. Give it "
                        "the same number in both."
                    )
            elif value in values.values() and "landmarks" not in part.raw:
                if not maps:
                    raise DatasetError(
                        f"The data sets cannot be united: the number {value} of "
                        f"{name!r} in {part.name} is that of another class. Give each "
                        "class a number of its own."
                    )
                values[name] = _free(values, found)
            else:
                values[name] = value
    return Labels(values=values)


def _refuse_nearly_same(parts: Sequence[Dataset], found: Sequence[Labels]) -> None:
    """Raise if a class of one data set is nearly called as one of another.

    They would be two classes, each annotated in one data set only.
    """
    first: dict[str, tuple[str, str]] = {}
    for part, one in zip(parts, found, strict=True):
        for name in one.values:
            plain = re.sub(r"[\s_-]+", "", name).casefold()
            other, place = first.setdefault(plain, (name, part.name))
            if other != name and other not in one.values:
                raise DatasetError(
                    f"The data sets cannot be united: {other!r} of {place} and "
                    f"{name!r} of {part.name} would be two classes. Call them alike if "
                    "they are one, else not nearly so."
                )


def _free(values: Mapping[str, int], found: Sequence[Labels]) -> int:
    """Return a small value that no data set has."""
    used = {*values.values(), *(v for one in found for v in one.values.values())}
    return next(value for value in range(1, len(used) + 2) if value not in used)


def _classes(labels: Labels) -> list[str]:
    """Return the names of classes, without background and ``ignore``."""
    return [name for name in labels.values if name not in (BACKGROUND, IGNORE)]


def _description(parts: Sequence[Dataset], labels: Labels) -> dict[str, Any]:
    """Return the new dataset.json, without its cases."""
    first = parts[0]
    numbered = {str(i): name for i, name in enumerate(first.channel_names)}
    raw: dict[str, Any] = {"channel_names": numbered}
    kept = (*SHARED, *KEPT, "overwrite_image_reader_writer", "label_ending")
    raw |= {key: first.raw[key] for key in kept if key in first.raw}
    if "landmarks" in first.raw:
        raw["landmarks"] = list(labels.values)
    else:
        raw["labels"] = dict(labels.values)
    if labels.order is not None:
        raw["regions_class_order"] = list(labels.order)
    raw["file_ending"] = first.image_ending
    return raw | united_looks({part.name: part.raw for part in parts})


def _names(parts: Sequence[Dataset]) -> dict[tuple[int, str], str]:
    """Return the new id of each case: the old one, unless two have it."""
    counts = Counter(case.id for part in parts for case in part.training)
    names = {
        (number, case.id): case.id if counts[case.id] == 1 else f"{part.name}_{case.id}"
        for number, part in enumerate(parts)
        for case in part.training
    }
    twice = [name for name, count in Counter(names.values()).items() if count > 1]
    if twice:
        raise DatasetError(
            f"{some_of(twice)} would be the id of two cases. Rename a data set."
        )
    return names


def _entry(
    part: Dataset, case: Case, name: str, labels: Labels, folder: Path
) -> dict[str, Any]:
    """Return where the files of a case are; its label map is written if need be."""
    path = case.annotation
    if path is None:
        raise DatasetError(f"{part.name}: {case.id} has no annotation.")
    shared = sum(other.annotation == path for other in part.training) > 1
    if shared and name != case.id:
        raise DatasetError(
            f"{path} has the annotations of several cases, and {case.id} is the id of "
            "one in another data set, too. Rename the cases of one of them."
        )
    changes = _changes(_labels_of(part), labels)
    if changes and "landmarks" not in part.raw:
        path = _rewritten(path, part, folder, name, changes)
    places = [place_of(one, folder) for one in case.images]
    return {"images": places, "label": place_of(path, folder)}


def _changes(own: Labels, labels: Labels) -> dict[int, int]:
    return {
        value: labels.values[name]
        for name, value in own.values.items()
        if isinstance(value, int) and labels.values[name] != value
    }


def _rewritten(
    path: Path, part: Dataset, folder: Path, name: str, changes: Mapping[int, int]
) -> Path:
    """Write a label map with other values; return where."""
    names = {v: n for n, v in single_values(part.raw).items()}
    array, geometry = read_map(path, part, names=names)
    high = max(int(array.max(initial=0)), *changes.values())
    made = array.astype(
        np.uint8 if high < 256 else np.uint16 if high < 65536 else np.int32
    )
    for old, new in changes.items():
        made[array == old] = new
    target = folder / "labelsTr" / f"{name}{part.annotation_ending}"
    target.parent.mkdir(parents=True, exist_ok=True)
    find_format(target, part.format).write_labels(target, made, geometry)
    return target


def place_of(path: Path, folder: Path) -> str:
    """Return a path as dataset.json has it: relative where folders lie side by side."""
    beside = path.is_relative_to(folder.parent)
    return os.path.relpath(path, folder) if beside else str(path)


def _tell(
    parts: Sequence[Dataset], folder: Path, annotated: Mapping[str, Any], count: int
) -> None:
    log.info(
        "%s: %s of %s; %s of them annotated in part.",
        folder / "dataset.json",
        amount(count, "case"),
        some_of([part.name for part in parts]),
        len(annotated) or "none",
    )
    split = [part.name for part in parts if part.splits is not None]
    if split:
        log.warning("The splits of %s were left behind.", some_of(split))
    tests = [part.name for part in parts if part.test]
    if tests:
        log.info("imagesTs of %s stays where it is.", some_of(tests))
