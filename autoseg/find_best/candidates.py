"""Which configurations can be chosen from: those whose cross-validation is complete."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoseg.errors import UsageError
from autoseg.evaluate.aggregate import Scores
from autoseg.preprocess.folds import load_splits
from autoseg.spec.choice import Choice
from autoseg.spec.dataset import Dataset
from autoseg.spec.plan import Plan
from autoseg.train.after.results import Trained, find_trained, only, scores_of
from autoseg.train.setup.changed import (
    changed_folds,
    changed_meaning,
    meaning,
    sentence,
)
from autoseg.workspace import ALL_FOLDS, MODEL_PLAN, Workspace

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A configuration with all folds of its cross-validation.

    Parameters
    ----------
    trained : Trained
        Its folds.
    plan : Plan
        As it was trained.
    cases : mapping of str to scores
        Of each case by the fold that it was held back from.
    fold_of : mapping of str to str
        That fold.
    """

    trained: Trained
    plan: Plan
    cases: Mapping[str, Scores]
    fold_of: Mapping[str, str]

    @property
    def name(self) -> str:
        """Plan and configuration."""
        return self.trained.name

    @property
    def folder(self) -> Path:
        """Folder of its folds."""
        return self.trained.folder

    @property
    def configuration(self) -> str:
        """Name of the configuration."""
        return self.trained.configuration

    @property
    def task(self) -> Choice:
        """The task it learned."""
        return self.plan.task


def held_out(trained: Trained) -> Candidate | None:
    """Return the finished folds of a configuration; None without any.

    Unlike those of `find_candidates` it may lack folds: it is for looking, not for
    choosing.
    """
    folds = [f for f in trained.folds if f.held_out and f.finished and scores_of(f)]
    if not folds:
        return None
    return Candidate(
        trained=trained,
        plan=Plan.load(trained.folder / MODEL_PLAN),
        cases={case: s for fold in folds for case, s in scores_of(fold).items()},
        fold_of={case: fold.name for fold in folds for case in scores_of(fold)},
    )


def find_candidates(
    workspace: Workspace,
    dataset: Dataset,
    configurations: Sequence[str] | None = None,
) -> tuple[list[Candidate], list[str]]:
    """Return what can be chosen from, and what is left out and why.

    Parameters
    ----------
    workspace : Workspace
        Of the data set.
    dataset : Dataset
        With its training cases.
    configurations : sequence of str, optional
        What is looked at; by default everything that was trained.

    Returns
    -------
    candidates : list of Candidate
        Sorted by plan and configuration; all scored on the same cases.
    left_out : list of str
        A line for each configuration that is incomplete, with the command that
        completes it.

    Raises
    ------
    UsageError
        If there is no candidate, or one of the configurations is not trained.
    """
    splits = load_splits(workspace, dataset)
    candidates, left_out = [], []
    for trained in only(find_trained(workspace), configurations):
        folds = {fold.name: fold for fold in trained.folds}
        cases: dict[str, Scores] = {}
        fold_of: dict[str, str] = {}
        missing = []
        for number, (_, held_back) in enumerate(splits):
            fold = folds.get(str(number))
            there = scores_of(fold) if fold is not None and fold.finished else {}
            if any(case not in there for case in held_back):
                missing.append(str(number))
                continue
            cases |= {case: there[case] for case in held_back}
            fold_of |= dict.fromkeys(held_back, str(number))
        if missing:
            left_out.append(_line(trained, missing, workspace, dataset))
        else:
            plan = Plan.load(trained.folder / MODEL_PLAN)
            candidates.append(
                Candidate(trained=trained, plan=plan, cases=cases, fold_of=fold_of)
            )
    if not candidates:
        listed = "\n".join(left_out) or (
            "  nothing is trained; begin with\n"
            f"  autoseg train {quote(dataset.folder)} CONFIGURATION {ALL_FOLDS} "
            f"--root {quote(workspace.root)}"
        )
        raise UsageError(
            f"No configuration of {dataset.name} has all {len(splits)} folds trained "
            f"and scored:\n{listed}"
        )
    for one in candidates:
        if keys := changed_meaning(one.folder, dataset):
            logger.warning("%s", meaning(one.name, keys))
        for index, found in changed_folds(one.folder, dataset, workspace).items():
            logger.warning("%s", sentence(one.name, index, found))
    return candidates, left_out


def _line(
    trained: Trained, missing: list[str], workspace: Workspace, dataset: Dataset
) -> str:
    return (
        f"  {trained.name} lacks fold {', '.join(missing)}; complete it with\n"
        f"  autoseg train {quote(dataset.folder)} {trained.configuration} {ALL_FOLDS} "
        f"--plan {trained.plan} --root {quote(workspace.root)}"
    )


def quote(path: Path) -> str:
    """Return a path as it is pasted into a shell."""
    return shlex.quote(str(path))
