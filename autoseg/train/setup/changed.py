"""Folds that were trained on data which are not those of today."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autoseg.datasets.identity import changed_cases
from autoseg.datasets.read import load_dataset
from autoseg.errors import AutosegError, PlanError, amount, some_of
from autoseg.spec.dataset import Dataset
from autoseg.spec.json import load_object
from autoseg.workspace import RUN, Workspace


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


def tell_of_model(model: Path) -> list[str]:
    """Return what is to be said of a model's folder in ROOT, before it is given away.

    Parameters
    ----------
    model : Path
        ``ROOT/results/DATASET/PLAN/CONFIGURATION``; of any other folder nothing is
        known, and of one whose data set is gone neither.

    Returns
    -------
    list of str
        A line for each fold that was trained on other data than those of today.
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
    found = changed_folds(model, dataset, workspace)
    return [sentence(model.name, fold, cases) for fold, cases in found.items()]


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
