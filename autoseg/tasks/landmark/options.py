"""From dataset.json to the options of the landmark task."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from autoseg.errors import DatasetError, did_you_mean
from autoseg.spec.dataset import Dataset, annotated_problems

SIDES = (
    ("left", "right"),
    ("l", "r"),
    ("lt", "rt"),
    ("sin", "dex"),
    ("sinister", "dexter"),
    ("sinistra", "dextra"),
)
# Numbers of teeth, ISO 3950 (FDI): first a quarter of the mouth, then
# a tooth of it, from the middle; quarters of milk teeth have five.
QUARTERS = {"1": "2", "4": "3", "5": "6", "8": "7"}
TEETH = {
    quarter + str(tooth)
    for sides in QUARTERS.items()
    for quarter in sides
    for tooth in range(1, 9 if quarter in "1234" else 6)
}
MISSING = ("unknown", "absent")


def options_from_dataset(dataset: Dataset) -> dict[str, Any]:
    """Return the options of the landmark task.

    Parameters
    ----------
    dataset : Dataset
        With ``landmarks`` and, if given, ``mirror_pairs`` and ``missing_means`` in
        ``raw``.

    Returns
    -------
    dict
        JSON values.

    Raises
    ------
    DatasetError
        With everything that is wrong with these keys, at once.
    """
    raw, problems = dataset.raw, []
    names: Any = raw.get("landmarks")
    pairs = raw.get("mirror_pairs")
    if isinstance(names, dict):
        pairs = names.get("pairs", pairs)
        names = names.get("names")
    good = isinstance(names, list) and names and all(isinstance(n, str) for n in names)
    if not good:
        problems.append('`landmarks` must list the names, such as ["tip", "root"]')
        names = []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        problems.append(f"`landmarks` names {', '.join(twice)} more than once")
    options: dict[str, Any] = {"landmarks": names}
    if pairs is not None:
        problems += _pair_problems(pairs, names)
        options["mirror_pairs"] = pairs
    missing = raw.get("missing_means")
    if missing is not None:
        if missing not in MISSING:
            problems.append(
                f"`missing_means` is {missing!r}; it must be {' or '.join(MISSING)}"
            )
        options["missing_means"] = missing
    problems += annotated_problems(raw, names)
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise DatasetError(f"{dataset.folder / 'dataset.json'}:\n{listed}")
    return options


def _pair_problems(pairs: Any, names: Sequence[str]) -> list[str]:
    if not isinstance(pairs, list) or any(
        not isinstance(pair, list) or len(pair) != 2 for pair in pairs
    ):
        return ['`mirror_pairs` must list pairs, such as [["left eye", "right eye"]]']
    flat = [name for pair in pairs for name in pair]
    problems = [
        f"`mirror_pairs` names {name!r}, which is no landmark."
        f"{did_you_mean(str(name), names)}"
        for name in dict.fromkeys(flat)
        if name not in names
    ]
    twice = sorted({str(name) for name in flat if flat.count(name) > 1})
    if twice:
        problems.append(f"`mirror_pairs` names {', '.join(twice)} more than once")
    return problems


def pairs_in_names(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return landmarks whose names differ in their side only, as names say sides.

    Known are words (left and right, l and r, sin and dex, ...), apart by other signs or
    by capital letters, and FDI numbers of teeth, if all numbers in the names are such.

    Examples
    --------
    >>> pairs_in_names(["eye_left", "nose", "eye_right", "L_ear", "R_ear"])
    [('eye_left', 'eye_right'), ('L_ear', 'R_ear')]
    >>> pairs_in_names(["tooth 11", "tooth 21", "tooth 36", "tooth 46"])
    [('tooth 11', 'tooth 21'), ('tooth 46', 'tooth 36')]
    """
    known = {_words(name): name for name in names}
    pairs = []
    for name in names:
        words = _words(name)
        for left, right in SIDES:
            if words.count(left) != 1:
                continue
            other = known.get(tuple(right if w == left else w for w in words))
            if other is not None:
                pairs.append((name, other))
    taken = {name for pair in pairs for name in pair}
    return pairs + [pair for pair in _teeth_in_names(names) if taken.isdisjoint(pair)]


def _teeth_in_names(names: Sequence[str]) -> list[tuple[str, str]]:
    """Return teeth that are each other's mirror image."""
    numbers = {name: re.findall(r"\d+", name) for name in names}
    if any(number not in TEETH for found in numbers.values() for number in found):
        return []  # landmarks that are numbered from 1 on, for one
    pairs = []
    for name, found in numbers.items():
        if len(found) == 1 and found[0][0] in QUARTERS:
            number = found[0]
            other = name.replace(number, QUARTERS[number[0]] + number[1])
            if other in numbers:
                pairs.append((name, other))
    return pairs


def _words(name: str) -> tuple[str, ...]:
    """Return the words of a name, in small letters."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(word.lower() for word in re.split(r"[\W_]+", apart) if word)
