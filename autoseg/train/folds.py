"""Train what is missing of a cross-validation, on one device or on several at once."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from autoseg.errors import TrainingError, UsageError, amount
from autoseg.parallel import current_cluster
from autoseg.preprocess.folds import load_splits
from autoseg.spec.run import Run
from autoseg.stopping import answering, interrupt
from autoseg.train.after.final_validation import is_scored
from autoseg.train.data.cascade import ensure_previous
from autoseg.train.elsewhere import (
    OUTPUT,
    one_device,
    order_of,
    seen_by,
    train_on_cluster,
)
from autoseg.train.launch import devices_of
from autoseg.train.record import check_start
from autoseg.train.setup.changed import changed_folds, sentence
from autoseg.train.setup.job import Job, ensure_preprocessed, find_job
from autoseg.train.setup.options import Options, check_same
from autoseg.train.setup.ranks import is_one_of_several
from autoseg.train.stage import check_network, train
from autoseg.train.telling import check_loggers
from autoseg.workspace import (
    ALL_FOLDS,
    CHECKPOINT_FINAL,
    DEFAULT_PLAN,
    RUN,
    SUMMARY,
    VALIDATION,
)
from planners.beside import plan_beside

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2  # between looks at the folds that train side by side


def train_folds(
    dataset: str | os.PathLike[str],
    configuration: str,
    root: str | os.PathLike[str] | None = None,
    *,
    plan: str = DEFAULT_PLAN,
    network: str | None = None,
    cluster: str | None = None,
    **options: Any,
) -> list[Path]:
    """Train every fold of the cross-validation that is not there yet.

    Parameters
    ----------
    dataset : str or path
        A folder, or the name or number of a data set in ``ROOT/raw``.
    configuration : str
        One of the plan's. Of a cascade, the folds of the stage before come first, with
        the same options.
    root : str or path, optional
        ROOT.
    plan : str
        Name of the plan.
    network : str, optional
        As in `autoseg.train`.
    cluster : str, optional
        Which Dask cluster trains them, as many at the same time as it has workers; see
        docs/cluster.md.
    **options
        See `train.setup.options.Options`. ``device`` may name several, with commas
        between: then a fold is trained on each of them at the same time.
        ``"auto"`` means all GPUs that there are. With ``processes``, as many train
        one fold after the other together.

    Returns
    -------
    list of Path
        Folders of all folds.

    Raises
    ------
    UsageError
        If ``overwrite`` is given: after an interruption it would start from nothing.
    TrainingError
        If a fold that trained beside others failed; it says where it is written why.
    KeyboardInterrupt
        After Ctrl-C, SIGTERM or SIGHUP; the same call goes on.
    """
    if options.get("overwrite"):
        raise UsageError(
            f"--overwrite and {ALL_FOLDS} do not go together: stopped and started "
            "again, it would begin with nothing. Give --overwrite with one fold's "
            "number, or delete the folds."
        )
    plan = plan_beside(dataset, root, plan, network)
    device = str(options.pop("device", "auto"))
    processes = options.pop("processes", None)
    elsewhere = cluster is not None or current_cluster() is not None
    if not elsewhere:
        check_loggers(options.get("log", ()))
    devices = [one_device(device)] if elsewhere else _devices(device)
    if processes is not None or is_one_of_several():
        devices_of(device, processes)  # raises if they do not fit together
        devices = [device]  # one fold after the other, by all together
    job = _job(dataset, configuration, root, plan, Options(**options))
    with seen_by(cluster, job):
        return _train_all(job, options, devices, processes)


def _job(dataset: Any, name: str, root: Any, plan: str, asked: Options) -> Job:
    """Return what is trained, but for the fold."""
    job = find_job(dataset, name, 0, root, plan, asked.of(name, None))
    check_network(job)
    return job


def _train_all(
    job: Job,
    options: dict[str, Any],
    devices: Sequence[str],
    processes: int | None,
    later: str | None = None,
) -> list[Path]:
    """Train what is missing of one configuration, and before it of its first stage.

    Folds of the first stage, of which there is a ``later`` one, may have been trained
    in any other way.
    """
    asked, name = Options(**options), job.configuration
    before, root = job.settings.previous, job.workspace.root
    chain = [one for one in (name, before, later) if one is not None]
    own = {**options, "settings": asked.of(name, chain).settings}
    if before is not None:
        first = _job(job.dataset.folder, before, root, job.plan.name, asked)
        _train_all(first, options, devices, processes, name)
    folders, missing = _look(job, asked, None if later else Options(**own))
    calls = [
        {
            "dataset": str(job.dataset.folder),
            "configuration": name,
            "fold": fold,
            "root": str(root),
            "plan": job.plan.name,
            "processes": processes,
            **own,
        }
        for fold in missing
    ]
    _train_missing(job, calls, folders, devices)
    return folders


def _train_missing(
    job: Job,
    calls: Sequence[dict[str, Any]],
    folders: Sequence[Path],
    devices: Sequence[str],
) -> None:
    """Train folds on a cluster, side by side on several devices, or one by one."""
    if current_cluster() is not None and calls:
        _prepare(job)
        given = [{**call, "device": devices[0]} for call in calls]
        orders = [order_of(job, folders[call["fold"]], call) for call in given]
        train_on_cluster(orders, devices[0], calls[0]["processes"])
    elif len(devices) > 1 and len(calls) > 1:
        _prepare(job)
        _side_by_side(calls, folders, devices)
    else:
        for call in calls:
            train(**call, device=devices[0])


def _look(
    job: Job, asked: Options, same: Options | None
) -> tuple[list[Path], list[int]]:
    """Return the folders of all folds, and the numbers of those to be trained.

    Raises
    ------
    TrainingError
        If a fold that is there was not trained in the ``same`` way.
    """
    splits = load_splits(job.workspace, job.dataset)
    stale = changed_folds(job.model_folder, job.dataset, job.workspace)
    for fold, cases in stale.items():
        logger.warning("%s", sentence(job.configuration, fold, cases))
    folders = [job.model_folder / f"fold_{number}" for number in range(len(splits))]
    missing = [
        number
        for number, folder in enumerate(folders)
        if not is_complete(folder, asked.validation, splits[number][1])
        or (asked.retrain_changed and str(number) in stale)
    ]
    for number, folder in enumerate(folders):
        if same is not None and number not in missing and (folder / RUN).is_file():
            _refuse_other(folder, same)
    if len(missing) < len(splits):
        logger.info(
            "%s: %d of %d folds are trained already.",
            job.configuration,
            len(splits) - len(missing),
            len(splits),
        )
    return folders, missing


def _refuse_other(folder: Path, asked: Options) -> None:
    """Raise TrainingError if a finished fold was trained with other options."""
    recorded = Run.load(folder / RUN)
    how = replace(asked, threads=None, workers=None)  # it is not going to compute
    check_same(how, recorded, str(folder), recorded.processes)
    check_start(how, recorded, str(folder))


def is_complete(
    folder: Path, validation: bool = True, cases: Sequence[str] = ()
) -> bool:
    """Return whether a fold was trained to its end and, if wanted, scored.

    Parameters
    ----------
    folder : Path
        Of the fold.
    validation : bool
        Whether it has to be scored.
    cases : sequence of str
        On which cases: there are more of them when a split was extended.
    """
    done = (folder / CHECKPOINT_FINAL).is_file()
    return done and (not validation or is_scored(folder / VALIDATION / SUMMARY, cases))


def _devices(asked: str) -> list[str]:
    """Return the devices in a text such as ``cuda:0,cuda:1``; for auto all GPUs."""
    import torch

    given = [name.strip() for name in asked.split(",") if name.strip()]
    if given in ([], ["auto"]) and torch.cuda.device_count() > 1:
        return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return given or ["auto"]


def _prepare(job: Job) -> None:
    """Make what all folds read, before they start to read it at the same time."""
    ensure_preprocessed(job)
    if job.settings.previous is not None:
        ensure_previous(job)


def _side_by_side(
    calls: Sequence[dict[str, Any]], folders: Sequence[Path], devices: Sequence[str]
) -> None:
    """Train a fold on each device, in processes that share nothing but files."""
    waiting = list(calls)
    running: dict[int, tuple[SpawnProcess, int]] = {}  # by number of the device
    failed: list[int] = []
    with answering(interrupt):  # so that it ends its children
        try:
            while waiting or running:
                for number, device in enumerate(devices):
                    if waiting and number not in running:
                        call = {**waiting.pop(0), "device": device}
                        running[number] = _start(call, folders), int(call["fold"])
                time.sleep(POLL_SECONDS)
                for number, (process, fold) in list(running.items()):
                    if process.exitcode is not None:
                        del running[number]
                        bad = process.exitcode != 0
                        logger.info("fold %d %s", fold, "failed" if bad else "is done")
                        failed += [fold] if bad else []
        finally:
            for process, _ in running.values():
                process.terminate()  # SIGTERM: each writes its checkpoint
            for process, _ in running.values():
                process.join()
    if failed:
        listed = "\n".join(f"  {folders[fold] / OUTPUT}" for fold in sorted(failed))
        raise TrainingError(
            f"{amount(len(failed), 'fold')} failed; the others are finished. Why, "
            "stands at the "
            f"end of\n{listed}\nThe same command tries them again."
        )


def _start(call: dict[str, Any], folders: Sequence[Path]) -> SpawnProcess:
    output = folders[call["fold"]] / OUTPUT
    output.parent.mkdir(parents=True, exist_ok=True)
    process = multiprocessing.get_context("spawn").Process(
        target=_in_process, args=(call, output)
    )
    process.start()
    logger.info("fold %d trains on %s, see %s", call["fold"], call["device"], output)
    return process


def _in_process(call: dict[str, Any], output: Path) -> None:
    """Train one fold, with what it says in a file."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl-C reaches the parent only, which sends SIGTERM
    with output.open("a", encoding="utf-8") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
        try:
            train(**call)
        except KeyboardInterrupt:
            sys.exit(130)
        except Exception as error:
            logger.error("%s: %s", type(error).__name__, error)
            sys.exit(1)
