"""Train folds on the workers of a cluster, each in a process of its own.

A task that has begun cannot be stopped, and a training must be: so the task only
watches over a process, whose standard input is its life line. When the worker dies, or
nobody wants the task any more, the process writes its checkpoint and ends.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import autoseg
from autoseg.errors import CaseErrors, TrainingError, UsageError, amount
from autoseg.lock import is_held
from autoseg.machine import SHARED_BY, cores, workers_here
from autoseg.parallel import current_cluster, map_cases, on_cluster, threads_here
from autoseg.train.setup.job import Job, ensure_preprocessed, lock_of
from autoseg.workspace import description_of

OUTPUT = "output.txt"  # in a fold's folder: what it said while others trained beside
GPU = "GPU"  # the resource of a worker that has one
POLL_SECONDS = 0.5
# How long a fold may still be held by the process of a worker that died: until that has
# finished its iteration.
LOCK_SECONDS = 120.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class FoldOrder:
    """A fold to train.

    Parameters
    ----------
    folder : Path
        The fold's.
    call : mapping
        Arguments of `autoseg.train`: JSON values.
    """

    folder: Path
    call: Mapping[str, Any]

    def train(self) -> None:
        """Train it in a process of this machine, for as long as it is wanted.

        Raises
        ------
        TrainingError
            If it failed; the message says where it is written why.
        """
        wanted = _is_wanted()
        until = time.monotonic() + LOCK_SECONDS
        while is_held(lock_of(self.folder)) and time.monotonic() < until:
            if not wanted():
                return
            time.sleep(POLL_SECONDS)
        output = self.folder / OUTPUT
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "autoseg.train"],
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=_environment(),
                start_new_session=True,
            )
        with process:
            if process.stdin is not None:
                process.stdin.write(json.dumps(dict(self.call)).encode() + b"\n")
                process.stdin.flush()
            while process.poll() is None and wanted():
                time.sleep(POLL_SECONDS)
        if process.returncode:
            raise TrainingError(f"Why, stands at the end of {output}.")


def _is_wanted() -> Any:
    from autoseg.executors.dask import is_wanted

    return is_wanted()


def _environment() -> dict[str, str]:
    """Return the variables of a training beside others on this worker."""
    place = str(Path(autoseg.__file__).parents[1])
    others = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    beside = max(1, cores() // threads_here())
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([place, *others]),
        SHARED_BY: str(workers_here() * beside),
    }


def train_on_cluster(
    orders: Sequence[FoldOrder], device: str, processes: int | None = None
) -> None:
    """Train folds on the cluster that is open, several at the same time.

    Parameters
    ----------
    orders : sequence of FoldOrder
        The folds.
    device : str
        Of each: with ``"cuda"`` a worker must have the resource ``GPU``, and so with
        ``"auto"``, if any worker has it.
    processes : int, optional
        How many train each fold together, on one worker.

    Raises
    ------
    UsageError
        If no worker has a GPU that is asked for.
    TrainingError
        If a fold failed; the others are finished.
    """
    cluster = current_cluster()
    if cluster is None:
        raise ValueError("no cluster is open")
    wants_gpu = device.startswith("cuda") or (device == "auto" and cluster.has(GPU))
    for order in orders:
        logger.info("%s waits for a worker, see %s", order.folder.name, OUTPUT)
    try:
        map_cases(
            FoldOrder.train,
            orders,
            stage="train",
            name=lambda order: order.folder.name,
            resources={GPU: processes or 1} if wants_gpu else None,
        )
    except CaseErrors as error:
        reasons = "\n".join(f"  {n}: {e}" for n, e in error.failures.items())
        raise TrainingError(
            f"{amount(len(error.failures), 'fold')} failed; the others are finished.\n"
            f"{reasons}\nThe same command tries them again."
        ) from None


def train_one(job: Job, call: Mapping[str, Any], cluster: str) -> Path:
    """Train one fold on a worker of a cluster.

    Parameters
    ----------
    job : Job
        The fold.
    call : mapping
        Arguments of `autoseg.train`.
    cluster : str
        Which; see `autoseg.executors.cluster.opened`.

    Returns
    -------
    Path
        The fold's folder.
    """
    device, processes = one_device(str(call["device"])), call["processes"]
    with seen_by(cluster, job):
        ensure_preprocessed(job)
        train_on_cluster([order_of(job, job.folder, call)], device, processes)
    return job.folder


def seen_by(cluster: str | None, job: Job) -> AbstractContextManager[None]:
    """Return what opens a cluster whose workers must see a job's files."""
    description = description_of(job.dataset.folder)
    needs = (__name__,)
    return on_cluster(cluster, description, written=job.workspace.root, needs=needs)


def order_of(job: Job, folder: Path, call: Mapping[str, Any]) -> FoldOrder:
    """Return a fold to train: the same call, from whatever folder it is made."""
    whole = {
        **call,
        "dataset": str(job.dataset.folder),
        "root": str(job.workspace.root),
    }
    if whole.get("init_from") is not None:
        whole["init_from"] = os.path.abspath(whole["init_from"])
    return FoldOrder(folder=folder, call=whole)


def one_device(device: str) -> str:
    """Return the device that every worker trains on; raise UsageError for several."""
    if "," in device or device.partition(":")[2]:
        raise UsageError(
            f"--device {device} and --cluster do not go together: a worker finds its "
            "own GPU, by CUDA_VISIBLE_DEVICES. Give --device cuda, or none."
        )
    return device
