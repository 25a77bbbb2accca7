"""Folds that were trained on data which are not those of today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoseg.datasets.identity import Sources, all_files, changed_cases
from autoseg.datasets.read import load_dataset
from autoseg.errors import AutosegError, PlanError, amount, some_of
from autoseg.preprocess.meaning import other_keys
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.json import load_object
from autoseg.spec.plan import Plan
from autoseg.workspace import MODEL_PLAN, RUN, Workspace

HASHED = 1 << 30  # bytes: what is read in a second or two, before a prediction


def changed_since(
    run: Mapping[str, Any], dataset: Dataset, workspace: Workspace
) -> list[str]:
    """Return the cases of a fold that changed since it was trained.

    Parameters
    ----------
    run : mapping
        Its ``run.json``; one of a version that wrote no contents says nothing.
    dataset : Dataset
        As it is now.
    workspace : Workspace
        Of the data set.

    Returns
    -------
    list of str
        Sorted ids.
    """
    data = run.get("data")
    if not isinstance(data, Mapping):
        return []
    return changed_cases(data, dataset, workspace)


def changed_folds(
    model: Path, dataset: Dataset, workspace: Workspace
) -> dict[str, list[str]]:
    """Return for each stale fold of a model's folder the cases that changed.

    Parameters
    ----------
    model : Path
        Folder with ``fold_N``.
    dataset : Dataset
        As it is now.
    workspace : Workspace
        Of the data set.

    Returns
    -------
    dict of str to list of str
        By the fold's name; folds that are up to date are left out.
    """
    found = {}
    for folder in sorted(model.glob("fold_*")):
        if (folder / RUN).is_file():
            try:
                run = load_object(folder / RUN)
            except PlanError:  # whoever needs the fold says so
                continue
            cases = changed_since(run, dataset, workspace)
            if cases:
                found[folder.name.removeprefix("fold_")] = cases
    return found


def tell_of_model(model: Path, most: int | None = None) -> list[str]:
    """Return what is to be said of a model in ROOT before it is used or given away.

    Parameters
    ----------
    model : Path
        ``ROOT/results/DATASET/PLAN/CONFIGURATION``, or the bundle that `find_best`
        chose there, which stands for all that is trained; of any other model nothing is
        known, and of one whose data set is gone neither.
    most : int, optional
        Bytes that may be read where sizes and times of files are other ones; of more it
        is said that nobody looked.

    Returns
    -------
    list of str
        A line for each fold that was trained on other data than those of today, and for
        what dataset.json says otherwise.
    """
    parents = model.absolute().parents
    if len(parents) < 4 or parents[2].name != "results":
        return []
    workspace = Workspace(root=parents[3], dataset=parents[1].name)
    try:
        known = load_object(workspace.origin).get("folder")
        dataset = load_dataset(workspace.root / str(known))
    except AutosegError:
        return []
    if most is not None:
        unknown = Sources(workspace).unknown(dataset.training)
        if size_of(unknown) > most:
            return [_not_looked_at(workspace.dataset, unknown)]
    folders = [model]
    if model.absolute() == workspace.best:
        folders = sorted(p.parent for p in workspace.results.glob(f"*/*/{MODEL_PLAN}"))
    said = []
    for folder in folders:
        other = changed_meaning(folder, dataset)
        said += [meaning(folder.name, other)] if other else []
        stale = changed_folds(folder, dataset, workspace)
        said += [sentence(folder.name, fold, cases) for fold, cases in stale.items()]
    return said


def changed_meaning(model: Path, dataset: Dataset) -> list[str]:
    """Return the keys of dataset.json that say otherwise than to a trained model.

    Parameters
    ----------
    model : Path
        Its folder.
    dataset : Dataset
        As it is now.
    """
    try:
        return other_keys(Plan.load(model / MODEL_PLAN), dataset)
    except AutosegError:  # whoever needs it says so
        return []


def meaning(name: str, keys: Sequence[str]) -> str:
    """Return what is said of a model by an earlier dataset.json.

    Parameters
    ----------
    name : str
        Of the configuration.
    keys : sequence of str
        See `changed_meaning`.
    """
    return (
        f"{name}: dataset.json says other {', '.join(keys)} now than when it was "
        "trained, which stay the model's. `autoseg plan_and_preprocess` plans anew, to "
        "train another one."
    )


def size_of(cases: Sequence[Case]) -> int:
    """Return how many bytes all files of some cases have."""
    files = (path for case in cases for path in all_files(case))
    return sum(path.stat().st_size for path in files if path.is_file())


def _not_looked_at(name: str, cases: Sequence[Case]) -> str:
    count = amount(len(cases), "case")
    return (
        f"{name}: whether {count} ({some_of([case.id for case in cases])}) changed "
        "since the model was trained was not looked at: the files are large, and of "
        "another size or time than when they were measured. `autoseg report` says it."
    )


def sentence(name: str, fold: str, cases: list[str]) -> str:
    """Return what is said of a stale fold.

    Parameters
    ----------
    name : str
        Of the configuration.
    fold : str
        Of the fold.
    cases : list of str
        Cases that changed.

    Returns
    -------
    str
        Names the cases, and how to train again.
    """
    return (
        f"{name}, fold {fold}: trained on data that changed since "
        f"({amount(len(cases), 'case')}: "
        f"{some_of(cases)}). `autoseg train ... --retrain-changed` trains it again."
    )
