"""The class of each instance, from ``CASE.json`` beside a map of ids."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import DatasetError, some_of
from autoseg.formats.base import known_endings, match_ending
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.instances import Instances, ids_of
from autoseg.tasks.base import Task

SHOWN = 8
IGNORE = "ignore"  # in `labels`: the class of what nobody annotated


def readable_classes(task: Task) -> dict[int, str]:
    """Return what annotations may call objects, by number: classes, and `IGNORE`."""
    ignore = {} if task.ignore is None else {task.ignore: IGNORE}
    return {**task.class_names, **ignore}


def objects_of(classes: Mapping[int, str]) -> dict[int, str]:
    """Return the classes of objects among those that annotations may have."""
    return {number: name for number, name in classes.items() if name != IGNORE}


def ignored_apart(found: Instances, classes: Mapping[int, str]) -> Instances:
    """Return instances without those of the class `IGNORE`: nobody annotated there.

    Parameters
    ----------
    found : Instances
        As files have them.
    classes : mapping of int to str
        See `readable_classes`.
    """
    kinds = found.classes
    ids = [i for i in found.ids if classes.get(kinds.get(i, 0)) == IGNORE]
    if not ids:
        return found
    where = np.isin(found.labels, ids)
    if found.masks:  # what lies below them was drawn as an object all the same
        rest = found.without(ids)
        return rest.ignoring(where & (rest.labels == 0))
    left = {i: kind for i, kind in kinds.items() if i not in ids}
    return Instances(found.labels, left, found.scores).ignoring(where)


def drawn_names(
    path: Path, names: Mapping[int, str], classes: Mapping[int, str]
) -> dict[int, str]:
    """Return the names of objects, without those that a side-car calls `IGNORE`.

    Parameters
    ----------
    path : Path
        The annotation; its side-car need not be there.
    names : mapping of int to str
        By id.
    classes : mapping of int to str
        See `readable_classes`.
    """
    side_car = side_car_of(path)
    if IGNORE not in classes.values() or not side_car.is_file():
        return dict(names)
    given = _read(side_car, len(names))
    ignored = {IGNORE, *(n for n, name in classes.items() if name == IGNORE)}
    return {
        i: name
        for i, name in names.items()
        if given.get(name, given.get(str(i))) not in ignored
    }


def side_car_of(path: Path) -> Path:
    """Return where the classes of the objects in an annotation are said."""
    ending = match_ending(path.name, known_endings()) or ""
    return path.with_name(f"{path.name.removesuffix(ending)}.json")


def with_classes(
    path: Path,
    labels: NDArray[Any],
    classes: Mapping[int, str],
    names: Mapping[int, str] = MappingProxyType({}),
    masks: Mapping[int, Mask] = MappingProxyType({}),
) -> Instances:
    """Return the instances of a map, with the classes that its side-car gives.

    The file is ``{"instances": {"17": 2, "18": "debris"}}``: for each id the number of
    its class or its name.

    Parameters
    ----------
    path : Path
        The map's file, ``CASE.EXT``; ``CASE.json`` lies beside it.
    labels : ndarray of int, shape S
        Ids; none is negative.
    classes : mapping of int to str
        Names of classes by number; see `readable_classes`.
    names : mapping of int to str, optional
        What else the side-car may call an id: the file of its mask.
    masks : mapping of int to Mask, optional
        The whole mask of each object that overlaps with another one.

    Returns
    -------
    Instances
        With a class for each.

    Raises
    ------
    DatasetError
        If the side-car is missing or no JSON, or an instance has no class or one that
        there is not; every fault at once.
    """
    ids = sorted({*ids_of(labels), *masks})
    if not ids:
        return Instances(np.zeros(labels.shape, np.int32))
    side_car = side_car_of(path)
    given = _read(side_car, len(ids))
    numbers = {name: number for number, name in classes.items()}
    known = ", ".join(f"{number} ({name})" for number, name in classes.items())
    found: dict[int, int] = {}
    missing, wrong = [], []
    for i in ids:
        name = names.get(i, str(i))
        kind = given.get(name, given.get(str(i)))
        kind = numbers.get(kind, kind) if isinstance(kind, str) else kind
        if kind is None:
            missing.append(name)
        elif isinstance(kind, bool) or kind not in classes:
            wrong.append(f"{name}: {kind!r}")
        else:
            found[i] = int(kind)
    problems = []
    if missing:
        problems.append(f"gives no class to the instances {some_of(missing, SHOWN)}")
    if wrong:
        problems.append(
            f"gives classes that dataset.json does not know: {some_of(wrong, SHOWN)}"
        )
    if problems:
        raise DatasetError(
            f"{side_car} {' and '.join(problems)}. The classes are {known}."
        )
    if ids[-1] > np.iinfo(np.int32).max:  # other ids, for they are too large
        labels = np.where(labels > 0, np.searchsorted(ids, labels) + 1, 0)
        found = {place: found[i] for place, i in enumerate(ids, start=1)}
    made = Instances(labels.astype(np.int32), found, masks=masks)
    return ignored_apart(made, classes)


def components_of(
    labels: NDArray[Any], classes: Mapping[int, str], path: Path
) -> Instances:
    """Return the pieces of masks as instances.

    Parameters
    ----------
    labels : ndarray of int, shape S
        A mask of the foreground; with several classes, the number of the class at each
        voxel.
    classes : mapping of int to str
        Names of classes by number; see `readable_classes`.
    path : Path
        The file, for the message.

    Returns
    -------
    Instances
        A piece is what hangs together by an edge or a corner.

    Raises
    ------
    DatasetError
        If a value is no class.
    """
    from scipy.ndimage import label

    hidden = np.isin(labels, [n for n, name in classes.items() if name == IGNORE])
    if hidden.any():
        labels = np.where(hidden, 0, labels)
    classes = objects_of(classes)
    values = ids_of(labels)
    several = len(classes) > 1
    unknown = [value for value in values if several and value not in classes]
    if unknown:
        known = ", ".join(f"{number} ({name})" for number, name in classes.items())
        raise DatasetError(
            f"{path} has the values {some_of(unknown, SHOWN)}, which are no classes: "
            f"with `components`, values are {known}."
        )
    found = np.zeros(labels.shape, np.int32)
    kinds: dict[int, int] = {}
    masks = [labels == value for value in values] if several else [labels > 0]
    for value, mask in zip(values if several else [1], masks, strict=True):
        pieces, count = label(mask, np.ones((3,) * labels.ndim))
        found[mask] = pieces[mask] + len(kinds)
        first = len(kinds) + 1
        number = value if several else next(iter(classes), 1)
        kinds.update(dict.fromkeys(range(first, first + count), number))
    pieces_found = Instances(found, kinds)
    return pieces_found.ignoring(hidden) if hidden.any() else pieces_found


def _read(side_car: Path, count: int) -> Mapping[str, Any]:
    example = '{"instances": {"1": 2}}'
    try:
        content = json.loads(side_car.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise DatasetError(
            f"{side_car} is missing: there are several classes, and it has to say of "
            f"which one each of the {count} instances is, such as {example}. If the "
            'values of the map are classes and no two objects touch: "components": '
            "true in dataset.json."
        ) from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"{side_car} is no JSON ({error}).") from None
    given = content.get("instances") if isinstance(content, dict) else None
    if not isinstance(given, dict):
        raise DatasetError(f"{side_car} has no `instances`, such as {example}.")
    return given
