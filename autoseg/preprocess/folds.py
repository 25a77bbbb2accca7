"""Which cases each fold trains on and which it is scored on."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.errors import DatasetError, UsageError, amount, some_of
from autoseg.preprocess.dealing import deal_annotated, deal_cases, deal_groups
from autoseg.spec.dataset import Dataset
from autoseg.spec.json import dumps, write_text
from autoseg.workspace import Workspace

SEED = 12345  # nnU-Net's, so that both train on the same cases
SHARE = 0.8  # of the cases train, in a fold that no list of splits has
NNUNET_NAME = "splits_final.json"

Split = tuple[tuple[str, ...], tuple[str, ...]]

log = logging.getLogger(__name__)

_told: set[str] = set()


def _warn(text: str) -> None:
    """Say a warning once: a training reads the splits several times."""
    if text not in _told:
        _told.add(text)
        log.warning("%s", text)


def make_splits(
    dataset: Dataset, folds: int = 5, seed: int = SEED
) -> tuple[Split, ...]:
    """Deal the training cases out into folds.

    What the data set itself says about splits comes first. Otherwise the cases, sorted
    by id, are shuffled and dealt out in runs of equal length: the folds of nnU-Net v2,
    which are those of scikit-learn's ``KFold(folds, shuffle=True, random_state=seed)``.
    Where cases have groups (patients, say), whole groups are dealt out instead, the
    largest first, each to the fold that has the fewest cases so far, so that no group
    is on both sides of a split. Where cases speak of some classes only (``annotated``),
    those that speak of the same are dealt out evenly.

    Parameters
    ----------
    dataset : Dataset
        With its training cases.
    folds : int
        How many; fewer if there are not as many cases or groups.
    seed : int
        Of the shuffle.

    Returns
    -------
    tuple of (tuple of str, tuple of str)
        For each fold the ids to train on and the ids to validate on, both sorted.

    Raises
    ------
    DatasetError
        If there is only one case or group, or the given splits contradict the cases.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net: a self-configuring method for deep learning-based
       biomedical image segmentation", Nature Methods 18, 2021.
       doi:10.1038/s41592-020-01008-z
    """
    if dataset.splits is not None:
        check_splits(dataset.splits, dataset, str(dataset.folder / "dataset.json"))
        _tell_of_classes(dataset.splits, dataset)
        return dataset.splits
    groups = groups_of(dataset)
    grouped = len(groups) < len(dataset.training)
    if len(groups) < 2:
        raise DatasetError(
            f"{dataset.folder}: {amount(len(dataset.training), 'training case')} in "
            f"{amount(len(groups), 'group')} cannot be split for cross-validation. "
            "Train the "
            "fold `all`, or add cases."
        )
    if len(groups) < folds:
        log.warning(
            "%s has %d %s, so there are %d folds instead of %d.",
            dataset.name,
            len(groups),
            "groups of cases" if grouped else "training cases",
            len(groups),
            folds,
        )
        folds = len(groups)
    ids = sorted(case.id for case in dataset.training)
    if any(case.annotated is not None for case in dataset.training):
        said = {case.id: case.annotated or () for case in dataset.training}
        dealt = deal_annotated(groups, folds, seed, said)
    else:
        dealt = (deal_groups if grouped else deal_cases)(groups, folds, seed)
    splits = tuple(_split(ids, held_out) for held_out in dealt)
    _tell_of_classes(splits, dataset)
    return splits


def load_splits(
    workspace: Workspace, dataset: Dataset, *, quiet: bool = False
) -> tuple[Split, ...]:
    """Return the splits of a data set, making and writing them where there are none.

    Parameters
    ----------
    workspace : Workspace
        Where ``splits.json`` is, or will be. A file of the same format made by nnU-Net,
        ``splits_final.json``, is taken if it is alone. Once written the file stays as
        it is, even if cases are added, so that no fold that was trained is ever
        validated on its own training cases.
    dataset : Dataset
        With its training cases.
    quiet : bool
        Say nothing of cases that are in no fold.

    Returns
    -------
    tuple of (tuple of str, tuple of str)
        Training and validation ids of each fold.

    Raises
    ------
    DatasetError
        If the file is damaged or contradicts the cases.
    """
    if dataset.splits is not None:
        splits = make_splits(dataset)
        write_splits(splits, workspace.splits)
        return splits
    for path in (workspace.splits, workspace.splits.with_name(NNUNET_NAME)):
        if path.is_file():
            splits = read_splits(path)
            check_splits(splits, dataset, str(path))
            if not quiet:
                _tell_of_unused(splits, dataset, path)
            return splits
    splits = make_splits(dataset)
    write_splits(splits, workspace.splits)
    return splits


def load_fold(workspace: Workspace, dataset: Dataset, fold: int | str) -> Split:
    """Return the training and validation ids of one fold.

    Parameters
    ----------
    workspace : Workspace
        Where ``splits.json`` is.
    dataset : Dataset
        With its training cases.
    fold : int or str
        A number, or ``"all"``: train and validate on every case. A number beyond the
        splits gives a random share of 80:20 of its own, drawn with seed
        ``12345 + fold``, as in nnU-Net.

    Returns
    -------
    (tuple of str, tuple of str)
        Ids to train on, ids to validate on.

    Raises
    ------
    UsageError
        If ``fold`` is neither a number nor ``"all"``.
    """
    everything = tuple(sorted(case.id for case in dataset.training))
    if str(fold) == "all":
        return everything, everything
    if not str(fold).isdigit():
        raise UsageError(f"fold {fold!r} is neither a number from 0 on nor `all`.")
    number = int(fold)
    splits = load_splits(workspace, dataset)
    if number < len(splits):
        return splits[number]
    _warn(
        f"{dataset.name} has {len(splits)} folds; fold {number} is a random share of "
        f"{100 * SHARE:.0f}:{100 * (1 - SHARE):.0f} with seed {SEED + number}."
    )
    return _random_split(dataset, SEED + number)


def read_splits(path: Path) -> tuple[Split, ...]:
    """Read splits as nnU-Net writes them: a list of ``{"train": [], "val": []}``.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    tuple of (tuple of str, tuple of str)
        Training and validation ids of each fold.

    Raises
    ------
    DatasetError
        If it is no such list.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
        splits = tuple((_ids(fold["train"]), _ids(fold["val"])) for fold in raw)
    except (ValueError, TypeError, KeyError) as error:
        raise DatasetError(
            f'{path} is no list of {{"train": [...], "val": [...]}} ({error!r}). Mend '
            "it, or delete it to have new splits made."
        ) from None
    if not splits:
        raise DatasetError(f"{path} has no fold. Delete it to have new splits made.")
    return splits


def _ids(raw: list[Any]) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise TypeError(f"{raw!r} is no list")
    return tuple(map(str, raw))


def write_splits(splits: Sequence[Split], path: Path) -> None:
    """Write splits in the format of `read_splits`, unless they are there already."""
    text = dumps([{"train": list(train), "val": list(val)} for train, val in splits])
    if not path.is_file() or path.read_text(encoding="utf-8-sig") != text:
        write_text(path, text)


def check_splits(splits: Sequence[Split], dataset: Dataset, where: str) -> None:
    """Raise DatasetError with everything in which splits contradict the cases.

    Parameters
    ----------
    splits : sequence of (tuple of str, tuple of str)
        Training and validation ids of each fold.
    dataset : Dataset
        With its training cases.
    where : str
        Where the splits come from, for messages.

    Raises
    ------
    DatasetError
        If a fold names unknown cases, or has no case to train or to validate on.
    """
    known = {case.id for case in dataset.training}
    group_of = {case.id: case.group for case in dataset.training if case.group}
    problems: list[str] = []
    for number, (train, val) in enumerate(splits):
        unknown = sorted({*train, *val} - known)
        if unknown:
            problems.append(
                f"fold {number} names {amount(len(unknown), 'case')} not in "
                f"{dataset.folder}: {', '.join(unknown[:5])}"
                + (", ..." if len(unknown) > 5 else "")
            )
        for side, ids in (("train", train), ("val", val)):
            if not ids:
                problems.append(f"fold {number} has no case in {side!r}")
        both = sorted(set(train) & set(val))
        if both:
            _warn(
                f"{where}: fold {number} trains and validates on {some_of(both)}, so "
                "its scores say little."
            )
        groups = {group_of.get(i) for i in train} & {group_of.get(i) for i in val}
        groups.discard(None)
        if groups:
            _warn(
                f"{where}: fold {number} has cases of the group "
                f"{some_of(sorted(map(str, groups)))} on both sides."
            )
    new = sorted(known - {i for split in splits for side in split for i in side})
    if new and problems:
        problems.append(f"in no fold: {some_of(new)}. If renamed, write these names")
    if problems:
        raise DatasetError(
            f"the splits in {where} cannot be used; mend them, or delete them to have "
            "new ones made:\n" + "\n".join(f"  {problem}" for problem in problems)
        )


def _tell_of_unused(splits: Sequence[Split], dataset: Dataset, path: Path) -> None:
    used = {case_id for train, val in splits for case_id in (*train, *val)}
    unused = sorted({case.id for case in dataset.training} - used)
    if unused:
        _warn(
            f"{path}: {amount(len(unused), 'training case')} in no fold: "
            f"{some_of(unused)}. --extend-splits lets them join, and leaves what is "
            "trained as it is."
        )


def groups_of(dataset: Dataset) -> dict[str, list[str]]:
    """Return the sorted ids of each group; a case without one is one of its own."""
    groups: dict[str, list[str]] = {}
    for case in sorted(dataset.training, key=lambda case: case.id):
        key = f"case {case.id}" if case.group is None else f"group {case.group}"
        groups.setdefault(key, []).append(case.id)
    return groups


def _tell_of_classes(splits: Sequence[Split], dataset: Dataset) -> None:
    """Warn of folds one side of which does not speak of a class at all."""
    of = {case.id: case.annotated for case in dataset.training}
    known = {name for names in of.values() if names for name in names}
    for number, sides in enumerate(splits):
        for side, ids in zip(("trains on", "is scored on"), sides, strict=True):
            sets = [of.get(case_id) for case_id in ids]
            if not known or any(names is None for names in sets):
                continue
            missing = known.difference(*(names or () for names in sets))
            if missing:
                said = dataset.name, number, side, some_of(sorted(missing))
                log.warning("%s: fold %d %s no case in which %s is annotated.", *said)


def _random_split(dataset: Dataset, seed: int) -> Split:
    """Draw whole groups, or cases, to train on until they are four fifths."""
    groups = groups_of(dataset)
    ids = sorted(case.id for case in dataset.training)
    if len(groups) < 2:
        raise DatasetError(
            f"{dataset.folder}: one case or group cannot be split. Train the fold "
            "`all`."
        )
    names = list(groups) if len(groups) < len(ids) else ids
    members = groups if len(groups) < len(ids) else {i: [i] for i in ids}
    # With int(0.8 n) and RandomState.choice these are nnU-Net's cases.
    count = max(1, int(len(names) * SHARE))
    random = np.random.RandomState(seed)
    chosen = {names[i] for i in random.choice(len(names), count, replace=False)}
    held_out = {i for name in names if name not in chosen for i in members[name]}
    return _split(ids, held_out)


def _split(ids: Sequence[str], held_out: set[str]) -> Split:
    return (
        tuple(i for i in ids if i not in held_out),
        tuple(i for i in ids if i in held_out),
    )
