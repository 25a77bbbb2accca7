"""From the `labels` of a dataset.json to the options of the semantic task."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoseg.errors import DatasetError
from autoseg.spec.dataset import Dataset, annotated_problems, partial_lists

IGNORE = "ignore"


def options_from_dataset(dataset: Dataset) -> dict[str, Any]:
    """Return the options of the semantic task.

    Parameters
    ----------
    dataset : Dataset
        With ``labels`` and, for regions, ``regions_class_order`` in ``raw``.

    Returns
    -------
    dict
        JSON values: ``labels``, and where they apply ``regions_class_order`` and
        ``ignore``.

    Raises
    ------
    DatasetError
        With everything that is wrong with ``labels``, at once.
    """
    where = dataset.folder / "dataset.json"
    raw = dataset.raw.get("labels")
    if not isinstance(raw, dict) or not raw:
        raise DatasetError(
            f"{where}: `labels` must name each label value, as in "
            '{"background": 0, "liver": 1}.'
        )
    if all(key.lstrip("-").isdigit() for key in raw):  # the Decathlon's way round
        raw = _by_name(raw, where)
    problems: list[str] = []
    labels: dict[str, Any] = {}
    for name, value in raw.items():
        entries = value if isinstance(value, list) else [value]
        if not entries or any(type(entry) is not int for entry in entries):
            problems.append(
                f"label {name!r} is {value!r}; give a whole number or a list"
            )
            continue
        labels[name] = entries if len(entries) > 1 else entries[0]
    ignore = labels.pop(IGNORE, None)
    if isinstance(ignore, list):
        problems.append("`ignore` must be one value")
    if len(labels) < 2:
        problems.append("`labels` needs a background and at least one class")
    options: dict[str, Any] = {"labels": labels}
    if ignore is not None:
        options["ignore"] = ignore
    regions = any(isinstance(value, list) for value in labels.values())
    problems += _values_problems(labels, ignore, regions)
    if regions:
        order = dataset.raw.get("regions_class_order")
        foreground = len(labels) - ("background" in labels)
        if not isinstance(order, list) or len(order) != foreground:
            problems.append(
                f"regions need `regions_class_order`: {foreground} values, the one to "
                "paint for each region in turn"
            )
        else:
            options["regions_class_order"] = order
    problems += annotated_problems(dataset.raw, _classes(labels))
    if not problems and (partly := partial_lists(dataset.raw, _classes(labels))):
        options["partly"] = partly
        problems += _too_many(labels, partly)
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise DatasetError(f"{where}:\n{listed}")
    return options


def _by_name(raw: Mapping[str, Any], where: Path) -> dict[str, int]:
    """Return values by name of `labels` that give names by value."""
    found: dict[str, list[int]] = {}
    for value, name in raw.items():
        found.setdefault(str(name), []).append(int(value))
    for name, values in found.items():
        if len(values) > 1:
            raise DatasetError(
                f"{where}:\n  `labels` calls the values {values} all {name!r}; give "
                "each a name of its own, or name them the other way round, "
                f"{json.dumps({name: values}, ensure_ascii=False)}, to make a region"
            )
    return {name: values[0] for name, values in found.items()}


MOST_VALUE = 2**31 - 1  # int32, which all formats of label maps have
MOST_STORED = 2**15 - 1  # int16, which stored label maps are


def _classes(labels: Mapping[str, Any]) -> list[str]:
    """Return the names of all classes, without that of the background."""
    lowest = min((v for value in labels.values() for v in _list(value)), default=0)
    return [name for name, value in labels.items() if _list(value) != [lowest]]


def _list(value: Any) -> list[int]:
    return value if isinstance(value, list) else [value]


def _too_many(labels: Mapping[str, Any], partly: Sequence[Any]) -> list[str]:
    values = len({v for value in labels.values() for v in _list(value)}) + 1
    if values * (len(partly) + 1) <= MOST_STORED:
        return []
    return [
        f"`annotated` has {len(partly)} different sets of classes, too many for "
        f"{values} label values; give the same set to more cases"
    ]


def _values_problems(labels: dict[str, Any], ignore: Any, regions: bool) -> list[str]:
    problems = []
    if "background" in labels and isinstance(labels["background"], list):
        problems.append("`background` must be one value")
    flat = [
        v for value in labels.values() if not isinstance(value, list) for v in [value]
    ]
    if not regions:
        twice = sorted(v for v, count in Counter(flat).items() if count > 1)
        if twice:
            problems.append(f"value {', '.join(map(str, twice))} belongs to two labels")
    everything = {
        v for x in labels.values() for v in (x if isinstance(x, list) else [x])
    }
    if ignore in everything:
        problems.append(f"value {ignore} is `ignore` and a label")
    if "background" in labels and not isinstance(labels["background"], list):
        if labels["background"] != min(everything, default=0):
            problems.append("`background` must be the smallest value")
    if max(everything, default=0) > MOST_VALUE:
        problems.append(f"value {max(everything)} is too large for any label map")
    return problems
