"""Check, plan, prepare, train, select, report and predict, within a time."""

from __future__ import annotations

import logging
import os
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoseg.datasets.read import find_workspace, load_dataset, open_dataset
from autoseg.errors import DatasetError, UsageError, amount, some_of
from autoseg.find_best.stage import find_best
from autoseg.fingerprint.check.stage import check_dataset
from autoseg.fingerprint.stage import fingerprint
from autoseg.predict.stage import predict
from autoseg.preprocess.folds import load_splits
from autoseg.preprocess.stage import preprocess
from autoseg.report.duration import page_seconds
from autoseg.report.live import live_page
from autoseg.report.stage import report
from autoseg.running.chosen import Chosen, choose_stages, decide
from autoseg.running.images import count_of, new_images
from autoseg.running.journal import Decided, Journal
from autoseg.running.lengths import Length, offered, spoken
from autoseg.spec.dataset import Dataset
from autoseg.spec.plan import Plan
from autoseg.train.pace import fastest_step
from autoseg.train.setup.options import seconds_of
from autoseg.train.stage import train
from autoseg.workspace import DEFAULT_PLAN, Workspace, find_dataset, find_root
from planners.stage import budget_of, plan

log = logging.getLogger(__name__)

Choose = Callable[[Sequence[Length]], Length]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run has made.

    Parameters
    ----------
    page : Path
        The report.
    model : Path
        What predicts: a bundle, or the folder of the folds that were trained.
    predictions : tuple of Path
        Of new images; empty if there were none.
    """

    page: Path
    model: Path
    predictions: tuple[Path, ...] = ()


def run(
    dataset: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    time_budget: float | str | None = None,
    images: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    configuration: str | None = None,
    folds: int | None = None,
    init_from: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    device: str = "auto",
    threads: int | None = None,
    workers: int | None = None,
    choose: Choose | None = None,
) -> Outcome:
    """Do everything from a data set to a model, a page and predictions.

    A run that was stopped goes on: what is done is kept, and the time that was spent
    counts.

    Parameters
    ----------
    dataset : str or path
        A folder with a dataset.json, or the name or number of one in ``ROOT/raw``.
    root : str or path, optional
        ROOT; by default ``$AUTOSEG_ROOT``, else ``./autoseg_root``.
    time_budget : float or str, optional
        Of everything together: seconds, or a text such as ``"2h"``. By default a step
        is timed and the shortest of three lengths is taken, or what ``choose`` says.
    images : path, optional
        Folder of new images; by default imagesTs of the data set, if it is there.
    output : path, optional
        Where their predictions go; by default ``ROOT/results/DATASET/predictions``.
    configuration : str, optional
        What is trained; by default ``3d_fullres`` where the plan has it, else ``2d``.
        A fine stage of landmarks (``2d_fine``, ``3d_fine``) is trained together with
        the one that it looks closer at, each for half of a fold's time.
    folds : int, optional
        How many folds are trained; by default as many as get forty minutes each.
    init_from : path, optional
        A model whose weights to start from; see `autoseg.train`.
    seed : int, optional
        Of all random numbers.
    overwrite : bool
        Train anew what a run before has trained.
    device : str
        Where to train and predict.
    threads, workers : int, optional
        Of an operation on the CPU, and cases at the same time.
    choose : callable, optional
        Called with three lengths where no budget is given; returns one of them.

    Returns
    -------
    Outcome
        The page, the model and the predictions.

    Raises
    ------
    DatasetError
        If the data set has errors; all of them are listed.
    UsageError, PlanError, TrainingError, CaseErrors
        As the single stages.
    KeyboardInterrupt
        After Ctrl-C; the same call goes on.
    """
    start = time.monotonic()
    own = _Run(
        dataset=os.fspath(dataset),
        root=None if root is None else os.fspath(root),
        device=device,
        threads=threads,
        workers=workers,
    )
    _check(own)
    described, workspace = open_dataset(dataset, root)
    new = new_images(described, images)
    target = Path(output) if output else workspace.results / "predictions"
    journal = Journal(workspace.run, again=overwrite)
    budget = seconds_of(time_budget)
    if budget is not None and not budget > 0:
        raise UsageError(f"--time-budget is {time_budget}; give more.")
    journal.refuse_others(budget, configuration, folds)
    if budget is not None and not journal.trains:
        journal.begin(budget, start)
    chosen = _prepare(own, configuration or journal.configuration)
    page_takes = 0.0 if journal.trains else page_seconds(described)
    if journal.decided is None:
        lengths = offered(*_step(own, chosen.first), page_takes)
        one = (choose or _shortest)(lengths)
        log.info(
            "It will take %s; --time-budget says another time.", spoken(one.seconds)
        )
        journal.begin(one.seconds)
    decide(journal, workspace, described, chosen, folds, page_takes)
    how = {"seed": seed, "overwrite": overwrite}
    with live_page(own.dataset, workspace.root):
        _train(own, journal, count_of(new, described), init_from, **how)
    model, parts = _select(own, journal, workspace, described)
    written = _predict(own, model, parts, new, target) if new else ()
    page = _report(own)
    journal.save()
    log.info("It took %s of %s.", spoken(journal.spent), _budget_of(journal))
    return Outcome(page=page, model=model, predictions=tuple(written))


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What all commands of a run have in common."""

    dataset: str
    root: str | None
    device: str
    threads: int | None
    workers: int | None

    def tell(self, text: str, *words: object) -> None:
        """Say what comes, and the command that does it alone."""
        last = [] if self.root is None else ["--root", self.root]
        line = shlex.join(["autoseg", *map(str, words), *last])
        log.info("\n== %s\n$ %s", text, line)


def _shortest(lengths: Sequence[Length]) -> Length:
    return lengths[0]


def _budget_of(journal: Journal) -> str:
    return spoken(journal.decided.budget) if journal.decided else "no budget"


def _check(own: _Run) -> None:
    """Look for what would make training fail, or vain."""
    own.tell("Is anything wrong with the data?", "check", own.dataset)
    folder = find_dataset(own.dataset, find_root(own.root))
    problems = check_dataset(load_dataset(folder), own.workers)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        lines = [f"  {one.file}: {one.found} {one.fix}".rstrip() for one in errors]
        listed = some_of(lines, 8, "\n")
        raise DatasetError(
            f"{folder} has {amount(len(errors), 'error')}:\n{listed}\n"
            "Mend them, and run the same command again."
        )
    warnings = {problem.found for problem in problems if problem.severity == "warning"}
    if warnings:
        shown = "\n".join(f"  {text}" for text in sorted(warnings)[:5])
        log.info(
            "%s:\n%s",
            amount(len(warnings), "kind of warning", "kinds of warnings"),
            shown,
        )
    else:
        log.info("Nothing is wrong.")


def _prepare(own: _Run, configuration: str | None) -> Chosen:
    """Measure, plan and prepare what is trained first; return what may be trained."""
    made, kept = _planned(own)
    chosen = choose_stages(made, configuration)
    own.tell(
        "Prepare the data as the plan that is there says."
        if kept
        else "Look at every image, decide how to train, prepare the data.",
        *("preprocess" if kept else "plan_and_preprocess", own.dataset),
        *("-c", chosen.first),
    )
    preprocess(
        own.dataset, own.root, workers=own.workers, configurations=[chosen.first]
    )
    return chosen


def _planned(own: _Run) -> tuple[Plan, bool]:
    """Return the plan, and whether it was there; somebody's settings stay in it.

    Where the data changed since it was made, it is made again, with these settings.
    """
    fingerprint(own.dataset, own.root, workers=own.workers)
    space = find_workspace(own.dataset, own.root)
    path = space.plan(DEFAULT_PLAN)
    if not path.is_file():
        return plan(own.dataset, own.root), False
    there = Plan.load(path)
    if path.stat().st_mtime_ns >= space.fingerprint.stat().st_mtime_ns:
        return there, True
    made = plan(
        own.dataset,
        own.root,
        planner=there.planner,
        name=there.name,
        budget=budget_of(there),
    )
    return made, False


def _step(own: _Run, configuration: str) -> tuple[bool, float | None]:
    """Return whether there is a GPU, and how long a step of a small network takes."""
    return fastest_step(
        own.dataset, configuration, own.root, device=own.device, threads=own.threads
    )


def _train(
    own: _Run, journal: Journal, images: int, init_from: Any, **how: Any
) -> None:
    """Train the folds that are not there yet, each with time to predict with it."""
    decided = journal.decided
    if decided is None:
        return
    extra = [] if init_from is None else ["--init-from", init_from]
    for fold, given in decided.folds.items():
        for name in decided.stages:
            seconds = round(given / len(decided.stages), 1)
            own.tell(
                _said_of(fold, name, decided),
                *("train", own.dataset, name, fold),
                *("--time-budget", f"{seconds:g}s", *extra),
            )
            try:
                train(
                    own.dataset,
                    name,
                    fold,
                    own.root,
                    time_budget=seconds,
                    device=own.device,
                    threads=own.threads,
                    init_from=init_from,
                    **how,
                    to_predict=images if name == decided.stages[-1] else 0,
                )
            finally:
                journal.save()


def _said_of(fold: str, name: str, decided: Decided) -> str:
    """Return what a training is for."""
    if name == decided.fine:
        return f"Train what looks closer at what fold {fold} finds."
    if len(decided.folds) == 1:
        return f"Train fold {fold}, which holds some of the cases back to be tested on."
    return f"Train fold {fold} of {len(decided.folds)}."


def _select(
    own: _Run, journal: Journal, workspace: Workspace, described: Dataset
) -> tuple[Path, list[str]]:
    """Return what predicts: the best bundle of a whole cross-validation, or folds."""
    decided = journal.decided
    names = list(decided.folds) if decided else []
    folder = workspace.model(DEFAULT_PLAN, decided.stages[-1] if decided else "")
    splits = load_splits(workspace, described)
    if len(names) < len(splits) or len(splits) < 2:
        return folder, names
    own.tell("Make one model of all folds.", "find_best", own.dataset)
    return find_best(own.dataset, own.root, device=own.device, workers=own.workers)[
        0
    ], []


def _predict(
    own: _Run, model: Path, folds: Sequence[str], new: Sequence[Any], target: Path
) -> list[Path]:
    """Predict new images with what was trained."""
    source = new[0] if isinstance(new[0], Path) else None
    shown = source or find_dataset(own.dataset, find_root(own.root)) / "imagesTs"
    words = ["-f", *folds] if folds else []
    own.tell(
        "Predict images that it has not seen.",
        *("predict", "-m", model, *words, "-i", shown, "-o", target),
    )
    return predict(
        model,
        source or list(new),
        target,
        folds=list(folds) or None,
        continue_prediction=True,
        device=own.device,
        threads=own.threads,
    )


def _report(own: _Run) -> Path:
    """Write the page."""
    own.tell("Write a page with everything that is known.", "report", own.dataset)
    return report(own.dataset, own.root, device=own.device, workers=own.workers)
