"""Cases that were added later: let them join the folds, without touching what is there.

Ids are only ever added to a fold. What each extension added stands in ``splits.json``
beside ``train`` and ``val``, so that a fold that was trained before is still known.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from autoseg.errors import UsageError, amount, some_of
from autoseg.preprocess.folds import Split, groups_of, load_splits
from autoseg.spec.dataset import Dataset
from autoseg.spec.json import dumps, write_text
from autoseg.workspace import Workspace

WAYS = ("folds", "train")
ADDED = "added"  # a list of ids for each extension

log = logging.getLogger(__name__)


def extend_splits(workspace: Workspace, dataset: Dataset, way: str) -> None:
    """Add the cases that are in no fold yet.

    No case changes sides, so no fold that was trained is ever validated on its own
    training cases. Cases of a group that a fold holds out never join its training.

    Parameters
    ----------
    workspace : Workspace
        Where ``splits.json`` is.
    dataset : Dataset
        With its training cases.
    way : str
        ``"folds"``: whole groups, or cases, are held out by the fold that holds out
        the fewest so far, and join the training of the others. ``"train"``: they join
        the training of all folds, and no fold is scored on them.

    Raises
    ------
    UsageError
        If the data set gives its splits itself, or there is no such way.
    """
    if way not in WAYS:
        raise UsageError(f"--extend-splits {way}: give {' or '.join(WAYS)}.")
    if dataset.splits is not None:
        raise UsageError(
            f"The splits of {dataset.name} are given by the data set itself. Add the "
            "new cases there."
        )
    splits = load_splits(workspace, dataset, quiet=True)
    used = {case_id for train, val in splits for case_id in (*train, *val)}
    new = sorted({case.id for case in dataset.training} - used)
    if not new:
        log.info("Every training case is in the folds of %s.", dataset.name)
        return
    held_out = _dealt(splits, dataset, new, way)
    earlier = _added(workspace, len(splits))
    entries = []
    for (train, val), out, before in zip(splits, held_out, earlier, strict=True):
        # Of a group that this fold holds out, nothing may be learned.
        joins = set(new) - out - _of_held_groups(dataset, set(val) | out)
        entries.append(
            {
                "train": sorted({*train, *joins}),
                "val": sorted({*val, *out}),
                ADDED: [*before, sorted(joins | out)],
            }
        )
    write_text(workspace.splits, dumps(entries))
    log.info(
        "%s: %s joined the %s: %s. Folds that were trained stay as they are.",
        workspace.splits,
        amount(len(new), "case"),
        "training of all folds" if way == "train" else "folds",
        some_of(new),
    )


def earlier_splits(workspace: Workspace, fold: int | str) -> list[Split]:
    """Return what a fold was before it was extended, the newest first.

    Parameters
    ----------
    workspace : Workspace
        Where ``splits.json`` is.
    fold : int or str
        Its number; the fold ``all`` has no history.

    Returns
    -------
    list of (tuple of str, tuple of str)
        Ids to train on and to validate on.
    """
    if not workspace.splits.is_file() or not str(fold).isdigit():
        return []
    raw = json.loads(workspace.splits.read_text(encoding="utf-8-sig"))
    if int(fold) >= len(raw):
        return []
    entry = raw[int(fold)]
    train, val, found = list(entry["train"]), list(entry["val"]), []
    for added in reversed(entry.get(ADDED, [])):
        train = [i for i in train if i not in added]
        val = [i for i in val if i not in added]
        found.append((tuple(train), tuple(val)))
    return found


def _dealt(
    splits: Sequence[Split], dataset: Dataset, new: Sequence[str], way: str
) -> list[set[str]]:
    """Return the new cases that each fold holds out."""
    held_out: list[set[str]] = [set() for _ in splits]
    if way == "train":
        return held_out
    fresh = set(new)
    for members in groups_of(dataset).values():
        mine = fresh.intersection(members)
        if not mine:
            continue
        old = set(members) - mine
        known = [k for k, (_, val) in enumerate(splits) if old.intersection(val)]
        sizes = [len(val) + len(held_out[k]) for k, (_, val) in enumerate(splits)]
        held_out[known[0] if known else sizes.index(min(sizes))] |= mine
    return held_out


def _of_held_groups(dataset: Dataset, held_out: set[str]) -> set[str]:
    """Return all cases of the groups that some cases belong to."""
    return {
        case_id
        for members in groups_of(dataset).values()
        if held_out.intersection(members)
        for case_id in members
    }


def _added(workspace: Workspace, count: int) -> list[list[list[str]]]:
    if not workspace.splits.is_file():
        return [[] for _ in range(count)]
    raw = json.loads(workspace.splits.read_text(encoding="utf-8-sig"))
    return [list(entry.get(ADDED, [])) for entry in raw]
