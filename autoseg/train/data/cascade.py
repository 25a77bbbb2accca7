"""What the stage before a cascade's second one predicted, on the second one's grid."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.errors import UsageError
from autoseg.formats.base import read_image, read_labels
from autoseg.parallel import map_cases
from autoseg.preprocess.case import prepare_image
from autoseg.preprocess.folds import load_fold, load_splits
from autoseg.preprocess.store import CaseStore
from autoseg.spec.dataset import Case
from autoseg.train.setup.job import Job
from autoseg.workspace import CHECKPOINT_FINAL, VALIDATION, stamps_of

logger = logging.getLogger(__name__)

NEXT_STAGE = "next_stage"
PLACEMENT = "placement"


def store_of_previous(job: Job) -> CaseStore:
    """Return where the label maps of the stage before are kept, on this grid."""
    previous = str(job.settings.previous)
    folder = job.workspace.model(job.plan.name, previous)
    return CaseStore(folder / NEXT_STAGE / job.configuration)


def check_previous(job: Job) -> None:
    """Raise UsageError, with the commands, unless the stage before is trained."""
    if job.is_fine:
        check_coarse(job)
    else:
        previous_files(job)


def ensure_previous(job: Job) -> None:
    """Bring the predictions of the stage before to the grid of the prepared cases.

    The fine stage of landmarks learns from the annotation alone, and needs the coarse
    one when it is scored: it has to be trained, and on the same fold.

    A case's prediction is the one of the fold that it was held back from, so that
    this stage learns from mistakes as it will meet them.

    Raises
    ------
    UsageError
        If some are not there yet; it names the commands that make them.
    """
    if job.is_fine:
        check_coarse(job)
        return
    files = previous_files(job)
    store = store_of_previous(job)
    cases = [c for c in files if not _is_current(job, store, c, files[c])]
    if cases:
        map_cases(
            partial(_prepare, _without_cases(job), store),
            [(job.dataset.case(case), files[case]) for case in cases],
            stage="previous stage",
            name=lambda item: item[0].id,
        )


def check_coarse(job: Job) -> None:
    """Raise UsageError, with the command, unless the coarse stage's fold is trained."""
    name = str(job.settings.previous)
    folder = job.workspace.fold(job.plan.name, name, job.fold)
    if not (folder / CHECKPOINT_FINAL).is_file():
        raise UsageError(
            f"{job.configuration} looks closer at what {name} finds, and fold "
            f"{job.fold} of {name} is not trained ({folder}). Train it first:\n"
            f"  autoseg train {job.dataset.folder} {name} {job.fold} --plan "
            f"{job.plan.name} --root {job.workspace.root}"
        )


def previous_files(job: Job) -> dict[str, Path]:
    """Return the prediction of the stage before for each case of a fold.

    Parameters
    ----------
    job : Job
        Of a configuration with ``previous``.

    Returns
    -------
    dict of str to Path
        By case id.

    Raises
    ------
    UsageError
        If some are missing.
    """
    name = str(job.settings.previous)
    held_back = _folds(job)
    files: dict[str, Path] = {}
    missing: dict[str, int] = {}
    for case in sorted({*job.training, *job.validation}):
        fold = held_back.get(case, "all")
        folder = job.workspace.fold(job.plan.name, name, fold) / VALIDATION
        ending = job.dataset.annotation_ending
        path = folder / f"{case}{ending}"
        if path.is_file():
            files[case] = path
        else:
            missing[fold] = missing.get(fold, 0) + 1
    if missing:
        commands = "\n".join(
            f"  autoseg train {job.dataset.folder} {name} {fold} "
            f"--plan {job.plan.name}    # {count} cases"
            for fold, count in sorted(missing.items())
        )
        raise UsageError(
            f"{job.configuration} learns from what {name} predicts for cases that it "
            f"was not trained on. These predictions are missing; train first:\n"
            f"{commands}"
        )
    return files


def previous_folder(job: Job) -> Path:
    """Return the folder with the stage before's predictions of the validation cases."""
    name = str(job.settings.previous)
    return job.workspace.fold(job.plan.name, name, job.fold) / VALIDATION


def _folds(job: Job) -> Mapping[str, str]:
    """Return the fold that each case is held back from."""
    if job.fold == "all":
        return {}
    splits = load_splits(job.workspace, job.dataset)
    found = {c: str(n) for n, (_, held) in enumerate(splits) for c in held}
    # The fold's own cases come first: a random fold overlaps with others.
    _, own = load_fold(job.workspace, job.dataset, job.fold)
    return found | dict.fromkeys(own, job.fold)


def _is_current(job: Job, store: CaseStore, case: str, file: Path) -> bool:
    """Return whether what is there is of this prediction, on the case's grid of now."""
    if case not in store:
        return False
    there = store.open(case).properties
    grid = job.store.open(case).properties.get(PLACEMENT) if case in job.store else None
    return there.get("stamp") == stamps_of([file]) and there.get(PLACEMENT) == grid


def _without_cases(job: Job) -> Job:
    """Return what is needed to prepare a case, and is sent along with each."""
    dataset = replace(job.dataset, training=(), test=())
    return replace(job, dataset=dataset, training=(), validation=())


def _prepare(job: Job, store: CaseStore, item: tuple[Case, Path]) -> None:
    case, file = item
    image = read_image(case, job.dataset)
    labels, _ = read_labels(file, job.dataset)
    inner = job.task.read(labels)
    # The same function as in prediction, so that both stages meet the same labels.
    prepared = prepare_image(image, job.preparing, job.configuration, annotation=inner)
    found: Any = np.asarray(prepared.annotation)
    made_of = {"stamp": stamps_of([file]), PLACEMENT: prepared.placement.to_json()}
    store.write(case.id, found[None].astype(np.float32), found, {}, made_of)
