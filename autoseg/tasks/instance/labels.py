"""What dataset.json says about an instance data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoseg.errors import DatasetError
from autoseg.spec.dataset import Dataset, annotated_problems
from autoseg.tasks.instance.sketched import sketch_problems

BACKGROUND = "background"
IGNORE = "ignore"
CROWDS = ("left out", "objects")  # what COCO's `iscrowd` 1 may mean


def options_from_dataset(dataset: Dataset) -> dict[str, Any]:
    """Return what the task is told, or raise DatasetError with every fault."""
    where = dataset.folder / "dataset.json"
    labels, ignore, problems = _numbered(dataset.raw.get("labels", {"instance": 1}))
    stuff, wrong = _stuff(dataset.raw.get("stuff", []), labels)
    problems += wrong
    if not isinstance(dataset.raw.get("components", False), bool):
        problems.append(
            f"`components` is {dataset.raw['components']!r}; it must be true or false"
        )
    crowds = dataset.raw.get("crowds", CROWDS[0])
    if crowds not in CROWDS:
        problems.append(f"`crowds` is {crowds!r}; there are {', '.join(CROWDS)}")
    problems += sketch_problems(dataset.raw)
    objects = {name: n for name, n in labels.items() if name not in stuff}
    if not objects and not problems:
        problems.append(
            '`labels` names no class of objects, such as {"background": 0, "cell": 1}'
        )
    if problems := problems + annotated_problems(dataset.raw, labels):
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise DatasetError(f"{where}:\n{listed}")
    options: dict[str, Any] = {"labels": objects}
    if stuff:
        options["stuff"] = {name: labels[name] for name in stuff if name in labels}
    if ignore is not None:
        options["ignore"] = ignore
    return options


def _numbered(raw: Any) -> tuple[dict[str, int], Any, list[str]]:
    """Return the number of each class, that of `ignore` or None, and what is wrong."""
    if not isinstance(raw, dict):
        return {}, None, ['`labels` must name each class, such as {"cell": 1}']
    problems: list[str] = []
    labels: dict[str, int] = {}
    for name, value in raw.items():
        if name == IGNORE or (name == BACKGROUND and value == 0):
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            problems.append(
                f"`labels` gives {name!r} the number {value!r}; classes of instances "
                "are numbered from 1, and only `background` is 0"
            )
        elif value in labels.values():
            problems.append(f"`labels` gives the number {value} twice")
        else:
            labels[name] = value
    ignore = raw.get(IGNORE)
    if ignore is not None and not _may_be_ignored(ignore, labels):
        problems.append(
            f"`labels` gives `ignore` the number {ignore!r}; it needs a whole number "
            "that is not 0 and of no class, and in maps of ids of no object, such as -1"
        )
    return labels, ignore, problems


def _stuff(raw: Any, labels: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Return the classes that are no objects, and what is wrong."""
    if not isinstance(raw, list) or not all(isinstance(name, str) for name in raw):
        return [], [
            '`stuff` must list the classes that are no objects, such as ["tissue"]'
        ]
    unknown = [name for name in raw if name not in labels]
    if unknown and labels:
        return raw, [f"`stuff` names {', '.join(unknown)}, not one of `labels`"]
    return raw, []


def _may_be_ignored(value: Any, labels: Mapping[str, int]) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and value != 0 and value not in labels.values()
