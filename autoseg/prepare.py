"""All that comes before training: fingerprint, plan and preprocess in a row.

Several machines can share the cases out. Each holds a lock while it works, by which the
others know whether there is still something to wait for.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from autoseg.datasets.read import open_dataset
from autoseg.errors import PartDone, UsageError
from autoseg.fingerprint.stage import NEEDED as fingerprint_needs
from autoseg.fingerprint.stage import fingerprint
from autoseg.lock import Held, is_held, locked
from autoseg.parallel import check_part, on_cluster
from autoseg.preprocess.stage import NEEDED as preprocess_needs
from autoseg.preprocess.stage import preprocess
from autoseg.spec.plan import Plan
from autoseg.workspace import DEFAULT_PLAN, Workspace
from planners.base import Budget, Rule
from planners.stage import check_settings, make_budget, plan

MEASURE, PREPARE = "measure", "prepare"  # what parts are at work on
PAUSE = 1.0  # seconds between two looks at what other parts have done

log = logging.getLogger(__name__)


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
    operations: float | None = None,
    gpus: int = 1,
    configurations: Sequence[str] | None = None,
    precision: str = "auto",
    workers: int | None = None,
    max_memory: float | None = None,
    fingerprint_workers: int | None = None,
    preprocessing: bool = True,
    clean: bool = False,
    overwrite: bool = False,
    extend_splits: str | None = None,
    num_parts: int = 1,
    part_id: int = 0,
    cluster: str | None = None,
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
    operations, gpus
        As in `autoseg.plan`, too.
    configurations : sequence of str, optional
        What is preprocessed; by default all that the plan has.
    precision : str
        As in `autoseg.preprocess`.
    workers : int, optional
        Cases worked on at the same time.
    max_memory : float, optional
        GB of memory to take at most; see `autoseg.fingerprint`.
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
    num_parts, part_id : int
        Measure and prepare every ``num_parts``-th case only, from case number
        ``part_id`` on: one machine's share. Parts at work at the same time wait for
        each other where they have to; of others, the last does what is left.
    cluster : str, optional
        Which Dask cluster works on the cases; see docs/cluster.md.

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
    PartDone
        Of a part, if cases of other parts are not measured and none of these is at
        work. The last part plans and prepares what is left.
    """
    given = preset, gpu_memory, budget_rule, settings, network, operations, gpus
    budget, called = make_budget(budget, *given), name or network
    described, workspace = open_dataset(dataset, root)
    check_settings(described.task, planner, budget)
    check_part(num_parts, part_id)
    parts = _Parts(workspace, num_parts, part_id)
    share: dict[str, Any] = {"num_parts": num_parts, "part_id": part_id}
    first = {"workers": fingerprint_workers or workers, **share}
    measure = partial(fingerprint, dataset, root, max_memory=max_memory, **first)
    prepare = partial(
        preprocess,
        dataset,
        root,
        configurations=configurations,
        workers=workers,
        precision=precision,
        extend=extend_splits,
        max_memory=max_memory,
    )
    with on_cluster(cluster, needs=(*fingerprint_needs, *preprocess_needs)):
        try:
            with parts.at(MEASURE):
                measure(overwrite=clean or overwrite)
        except PartDone:
            parts.wait_for_measures()
            measure()
        made = plan(dataset, root, planner=planner, name=called, budget=budget)
        if preprocessing:
            with parts.at(PREPARE):
                prepare(plan=made.name, overwrite=overwrite, **share)
            if num_parts > 1 and not parts.others_at(MEASURE, PREPARE):
                prepare(plan=made.name)  # what parts left that ended before the plan
    return made


class _Parts:
    """The processes that share one data set out, each known by a lock.

    Parameters
    ----------
    workspace : Workspace
        Where the locks are.
    num_parts, part_id : int
        How many there are, and which one this is.
    """

    def __init__(self, workspace: Workspace, num_parts: int, part_id: int) -> None:
        self._workspace = workspace
        self._others = [i for i in range(num_parts) if i != part_id]
        self._mine = part_id
        self._count = num_parts

    def at(self, work: str) -> ExitStack:
        """Hold this part's lock of some work, inside ``with``; alone it needs none."""
        stack = ExitStack()
        if self._others:
            self._workspace.preprocessed.mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(locked(self._lock(work, self._mine)))
            except Held as held:
                raise UsageError(
                    f"part {self._mine} of {self._count} of {self._workspace.dataset} "
                    f"is at work already, in {held}."
                ) from None
        return stack

    def others_at(self, *work: str) -> bool:
        """Return whether another part is at some work now."""
        return any(is_held(self._lock(w, i)) for w in work for i in self._others)

    def wait_for_measures(self) -> None:
        """Wait until no other part measures, or until one has pooled all."""
        before = self._seen()
        if self.others_at(MEASURE):
            log.info("Waiting for what other parts measure.")
        while self.others_at(MEASURE) and self._seen() == before:
            time.sleep(PAUSE)

    def _seen(self) -> int | None:
        file = self._workspace.fingerprint
        return file.stat().st_mtime_ns if file.is_file() else None

    def _lock(self, work: str, part_id: int) -> Path:
        name = f"{work}-{part_id}-of-{self._count}.lock"
        return self._workspace.preprocessed / name
