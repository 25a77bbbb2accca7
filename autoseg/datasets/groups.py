"""The group of a case: looked up in a table, or taken out of the case's id."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autoseg.errors import DatasetError
from autoseg.spec.foreign.letters import as_known, composed

SUBJECT = "sub-"  # in front of the name of a subject of BIDS
MOST_REPEATS = 3  # of any length, in one expression

Splits = tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]


def group_finder(groups: Any) -> Callable[[str], str | None]:
    """Return a function from a case's id to its group, None where it has none.

    Parameters
    ----------
    groups : JSON value
        A group for each case, or a regular expression with one group in parentheses;
        None: no case has one.

    Raises
    ------
    DatasetError
        If it is anything else, or an expression that can take forever; a sentence
        without its end.
    """
    if groups is None:
        return lambda case_id: None
    if isinstance(groups, dict):
        table = {str(key): str(value) for key, value in groups.items()}
        same = {composed(key): value for key, value in table.items()}
        return lambda case_id: table.get(case_id, same.get(composed(case_id)))
    try:
        _must_be_quick(groups)
        pattern = re.compile(groups)
        if pattern.groups != 1:
            raise re.error(f"it has {pattern.groups} groups in parentheses, not 1")
    except (re.error, TypeError) as error:
        raise DatasetError(
            f"`groups` is {groups!r}: {error}. Give the group of each case, or a "
            r"regular expression with one group such as '(patient\\d+)_'"
        ) from None

    def group_of(case_id: str) -> str | None:
        match = pattern.search(case_id)
        return match[1] if match else None

    return group_of


def group_beside(case_id: str, groups: Any) -> str | None:
    """Return the group of an image that is no case, where a data set's rule says it.

    Parameters
    ----------
    case_id : str
        What the case would be called.
    groups : JSON value
        ``groups`` of dataset.json. Of BIDS it is a table of the annotated cases, whose
        subjects are the first part of their names.

    Examples
    --------
    >>> table = {"sub-1_ses-1": "sub-1"}
    >>> group_beside("sub-1_ses-2_T1w", table), group_beside("sub-2_T1w", table)
    ('sub-1', 'sub-2')
    """
    found = group_finder(groups)(case_id)
    subject = case_id.partition("_")[0]
    if found is None and isinstance(groups, dict) and subject.startswith(SUBJECT):
        of_bids = all(str(group).startswith(SUBJECT) for group in groups.values())
        return subject if of_bids else None
    return found


def folds_with(
    splits: Splits,
    own: Mapping[str, str | None],
    new: Sequence[str],
    groups: Mapping[str, str],
) -> tuple[list[dict[str, list[str]]], set[str]]:
    """Return folds that train on more cases, but not on groups that they hold out.

    Parameters
    ----------
    splits : tuple
        Training and validation ids of each fold.
    own : mapping of str to str or None
        Groups of their cases.
    new : sequence of str
        The cases that come to it.
    groups : mapping of str to str
        Groups of these, as far as they have any.

    Returns
    -------
    folds : list of dict
        As in dataset.json.
    left : set of str
        Which of the new ones some fold does not train on.
    """
    folds: list[dict[str, list[str]]] = []
    left: set[str] = set()
    for train, val in splits:
        held = {own.get(case_id) for case_id in val}
        out = {case_id for case_id in groups if groups[case_id] in held}
        more = [case_id for case_id in new if case_id not in out]
        folds.append({"train": [*train, *more], "val": list(val)})
        left |= out
    return folds, left


def splits_of(splits: Splits | None, ids: Sequence[str]) -> Splits | None:
    """Return splits whose names are in the codes that the ids of cases have."""
    if splits is None:
        return None
    return tuple(
        (tuple(as_known(train, ids)), tuple(as_known(val, ids)))
        for train, val in splits
    )


def _must_be_quick(expression: Any) -> None:
    """Raise re.error if an expression may take forever on some names.

    What may do so: a repetition inside of a repetition, choices inside of one, and
    many beside each other.
    """
    if not isinstance(expression, str):
        raise TypeError("it is no text")
    inside = [False]  # of each open parenthesis: whether something in it is repeated
    repeats, text, in_set = 0, re.sub(r"\\.", "x", expression, flags=re.S), False
    for place, letter in enumerate(text):
        if letter == "[" and not in_set:
            in_set = True
        elif letter == "]" and text[place - 1] not in "[^":
            in_set = False
        elif in_set:
            continue
        elif letter == "(":
            inside.append(False)
        elif letter == "|":
            inside[-1] = inside[-1] or len(inside) > 1
        elif letter == ")" and len(inside) > 1:
            repeated = inside.pop()
            if repeated and text[place + 1 : place + 2] in tuple("*+{"):
                raise re.error("a repetition inside of a repetition can take forever")
            inside[-1] = inside[-1] or repeated
        elif letter in "*+{":
            inside[-1] = True
            repeats += 1
    if repeats > MOST_REPEATS:
        raise re.error(f"more than {MOST_REPEATS} repetitions can take forever")


def read_splits(value: Any, where: str) -> Splits:
    """Return training and validation ids of each fold.

    Parameters
    ----------
    value : JSON value
        A list of ``{"train": [...], "val": [...]}``, one for each fold.
    where : str
        Where it comes from, for the message.

    Returns
    -------
    tuple of (tuple of str, tuple of str)
        Training and validation ids of each fold.

    Raises
    ------
    DatasetError
        If it is anything else.
    """
    good = (
        isinstance(value, list)
        and value
        and all(
            isinstance(fold, dict)
            and isinstance(fold.get("train"), list)
            and isinstance(fold.get("val"), list)
            and all(isinstance(c, str) for c in (*fold["train"], *fold["val"]))
            for fold in value
        )
    )
    if not good:
        raise DatasetError(
            f"{where} must be a list with one "
            '{"train": ["CASE", ...], "val": ["CASE", ...]} for each fold'
        )
    return tuple((tuple(fold["train"]), tuple(fold["val"])) for fold in value)
