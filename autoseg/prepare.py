"""All that comes before training: fingerprint, plan and preprocess in a row."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.datasets.read import open_dataset
from autoseg.fingerprint.stage import fingerprint
from autoseg.preprocess.stage import preprocess
from autoseg.spec.plan import Plan
from autoseg.workspace import DEFAULT_PLAN
from planners.base import Budget, Rule
from planners.stage import check_settings, make_budget, plan


def plan_and_preprocess(
    dataset: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    planner: str = DEFAULT_PLAN,
    network: str | None = None,
    name: str | None = None,
    preset: str | None = None,
    gpu_memory: float | None = None,
    budget_rule: Rule = "nnunet",
    settings: Mapping[str, Any] | None = None,
    budget: Budget | None = None,
    configurations: Sequence[str] | None = None,
    precision: str = "auto",
    workers: int | None = None,
    fingerprint_workers: int | None = None,
    preprocessing: bool = True,
    clean: bool = False,
    overwrite: bool = False,
    extend_splits: str | None = None,
) -> Plan:
    """Do all that comes before training; what is done already is skipped.

    Parameters
    ----------
    dataset : str or path
        A folder with a dataset.json, or the name or number of one in ``ROOT/raw``.
    root : str or path, optional
        ROOT; by default ``$AUTOSEG_ROOT``, else ``./autoseg_root``.
    planner, network, name, preset, gpu_memory, budget_rule, settings, budget
        As in `autoseg.plan`.
    configurations : sequence of str, optional
        What is preprocessed; by default all that the plan has.
    precision : str
        As in `autoseg.preprocess`.
    workers : int, optional
        Cases worked on at the same time.
    fingerprint_workers : int, optional
        The same, for the fingerprint only.
    preprocessing : bool
        False: stop after planning.
    clean : bool
        Make the fingerprint again even if no file has changed.
    overwrite : bool
        Redo everything, the fingerprint and all preprocessed cases.
    extend_splits : str, optional
        As ``extend`` of `autoseg.preprocess`: how cases that came later join the folds.

    Returns
    -------
    Plan
        What was planned.

    Raises
    ------
    UsageError, DatasetError, PlanError
        If what is given cannot be; settings are looked at before anything is written.
    CaseErrors
        If some cases failed; the others are done.
    """
    budget = make_budget(budget, preset, gpu_memory, budget_rule, settings, network)
    name = name or network
    described, _ = open_dataset(dataset, root)
    check_settings(described.task, planner, budget)
    fingerprint(
        dataset,
        root,
        workers=fingerprint_workers or workers,
        overwrite=clean or overwrite,
    )
    made = plan(dataset, root, planner=planner, name=name, budget=budget)
    if preprocessing:
        preprocess(
            dataset,
            root,
            plan=made.name,
            configurations=configurations,
            workers=workers,
            overwrite=overwrite,
            precision=precision,
            extend=extend_splits,
        )
    return made
