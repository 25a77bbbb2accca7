"""Find or start the Dask cluster that a user names, and leave it as it should be."""

from __future__ import annotations

import inspect
import json
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from autoseg.errors import UsageError, amount, did_you_mean
from autoseg.executors.base import Executor
from autoseg.executors.elsewhere import Order, files_to_see, forget, workers_of
from autoseg.executors.nest import can_nest, nest
from autoseg.machine import SHARED_BY, workers_here

CONNECT_SECONDS = 10.0
WORKER_SECONDS = 30.0  # for a worker of a cluster that was there before
LOCAL_SECONDS = 300.0  # for workers that are started here, which import much
SAY_SECONDS = 60.0  # between words about jobs that wait in a queue
JOBS = "jobs"  # in a file for SLURM, beside keywords of dask_jobqueue.SLURMCluster
WORDS = (
    "local:N (N processes of this machine), tcp://HOST:PORT (a scheduler), FILE.json "
    "(a scheduler file) or FILE.toml (options of dask_jobqueue.SLURMCluster)"
)
# Of clusters that are started here. Nothing waits on a worker behind another item, so
# that a worker that dies takes none with it that was not begun.
SETTINGS = {
    "distributed.scheduler.allowed-failures": 2,
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.comm.timeouts.connect": "30s",
    # How the event loop fares is looked at twice a second, not fifty times.
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "2s",
}

log = logging.getLogger(__name__)


class Cluster:
    """A cluster that this process may use.

    Parameters
    ----------
    client : distributed.Client
        Connected to it.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._files: dict[str, int | None] = {}

    def executor(
        self,
        name: str,
        count: int,
        most: int | None = None,
        resources: Mapping[str, float] | None = None,
    ) -> Executor:
        """Return what works on items of a stage; see `DaskExecutor`."""
        from autoseg.executors.dask import DaskExecutor

        order = Order(files=dict(self._files))
        return DaskExecutor(
            self._client, name, order, count=count, most=most, resources=resources
        )

    def has(self, resource: str) -> bool:
        """Return whether a worker has something of a resource now."""
        workers = workers_of(self._client).values()
        return any(worker.get("resources", {}).get(resource) for worker in workers)

    def forget(self, job: str) -> None:
        """Have workers drop what a job keeps between its items; see `kept`."""
        with suppress(Exception):  # of a cluster that is gone, nothing is kept
            self._client.run(forget, job, on_error="ignore")

    @contextmanager
    def seeing(self, *paths: Path, written: Path | None = None) -> Iterator[None]:
        """Have workers see files and folders, or else refuse to begin.

        In the folder that is written into, a file is left for the time: a folder of
        the same name on another machine does not have it.
        """
        before = dict(self._files)
        with ExitStack() as stack:
            self._files |= files_to_see(*paths)
            if written is not None:
                written.mkdir(parents=True, exist_ok=True)
                mark = written / f".cluster-{os.getpid()}-{time.time_ns()}"
                mark.write_text("Workers look for this file.\n", encoding="utf-8")
                stack.callback(mark.unlink, missing_ok=True)
                self._files |= files_to_see(written, mark)
            try:
                yield
            finally:
                self._files = before


@contextmanager
def opened(word: str, needs: Sequence[str] = ()) -> Iterator[Cluster]:
    """Connect to the cluster that a user names, or start it.

    Parameters
    ----------
    word : str
        See `WORDS`.
    needs : sequence of str
        Modules that workers import, where they are started here.

    Yields
    ------
    Cluster
        With at least one worker. One that was started here ends with the context.

    Raises
    ------
    UsageError
        If Dask is missing, nothing like this can be meant, no scheduler answers, or
        it has no worker.
    """
    means = _meaning(word)
    try:
        import dask
        from distributed import Client
    except ImportError as error:
        raise _missing("dask[distributed]", error) from None
    with ExitStack() as stack:
        stack.enter_context(dask.config.set(SETTINGS))
        target, patience, least = word, WORKER_SECONDS, 1
        if means == "local":
            least, patience = int(word.partition(":")[2]), LOCAL_SECONDS
            target = stack.enter_context(_local(least, needs))
        elif means == "slurm":
            target, patience = stack.enter_context(_slurm(Path(word))), 0.0
        elif means == "file":
            target = _address(Path(word))
        try:
            client = Client(target, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            why = str(error).partition("\n")[0]
            raise UsageError(
                f"--cluster {word}: no scheduler answers at {target} ({why}). Start "
                "one with `dask scheduler` and workers with `dask worker`, or give the "
                "address that it prints."
            ) from None
        stack.enter_context(client)
        _wait_for_workers(client, word, patience, least)
        yield Cluster(client)


def _meaning(word: str) -> str:
    """Return what a word means: local, address, file or slurm."""
    head, colon, rest = word.partition(":")
    if head == "local":
        if not rest.isdecimal() or not int(rest):
            raise UsageError(f"--cluster {word}: give local:N, with N from 1 on.")
        return "local"
    if colon and rest.startswith("//"):
        return "address"
    means = {".json": "file", ".toml": "slurm"}.get(Path(word).suffix.lower())
    if means is None:
        hint = did_you_mean(head, ["local", "tcp"]).replace("'local'", "'local:2'")
        raise UsageError(f"--cluster {word} means nothing.{hint} Give {WORDS}.")
    if not Path(word).is_file():
        raise UsageError(f"--cluster {word}: there is no such file.")
    return means


def _missing(package: str, error: ImportError) -> UsageError:
    return UsageError(
        f'--cluster needs {package} ({error}): pip install "autoseg[cluster]"'
    )


@contextmanager
def _local(count: int, needs: Sequence[str]) -> Iterator[Any]:
    """Start workers on this machine, which share what this process may use."""
    from distributed import LocalCluster

    shared = {SHARED_BY: str(count * workers_here())}
    how = {
        "threads_per_worker": 1,
        "memory_limit": 0,  # a limit would kill workers whose files are cached
        # No dashboard. Its server is there all the same, on any port that is free.
        "dashboard_address": None,
        "scheduler_kwargs": {"dashboard_address": "127.0.0.1:0"},
        "silence_logs": logging.CRITICAL,
    }
    if not can_nest():
        with LocalCluster(n_workers=count, env=shared, **how) as cluster:
            yield cluster
        return
    with ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory("-workers", ignore_cleanup_errors=True)
        )
        # Before Dask starts threads, without which a fork would go on.
        workers = stack.enter_context(nest(count, needs, shared, Path(folder)))
        cluster = stack.enter_context(LocalCluster(n_workers=0, **how))
        workers.tell(cluster.scheduler_address)
        yield cluster


def _address(file: Path) -> str:
    """Return the address in a scheduler file."""
    try:
        address = json.loads(file.read_text(encoding="utf-8"))["address"]
    except (OSError, ValueError, LookupError, TypeError):
        raise UsageError(
            f"{file} is no scheduler file. `dask scheduler --scheduler-file {file}` "
            "writes one."
        ) from None
    return str(address)


@contextmanager
def _interrupted_as_before() -> Iterator[None]:
    """Import inside what would take Ctrl-C for itself.

    dask_jobqueue 0.9 has it end the program with exit code 0, as soon as it is imported
    (findings/dask_jobqueue_takes_interrupt.sh).
    """
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, before)


@contextmanager
def _slurm(file: Path) -> Iterator[Any]:
    """Start a scheduler here, and have SLURM start workers."""
    try:
        with _interrupted_as_before():
            from dask_jobqueue.core import Job
            from dask_jobqueue.slurm import SLURMCluster
    except ImportError as error:
        raise _missing("dask-jobqueue", error) from None
    options = _read_toml(file)
    jobs = options.pop(JOBS, 1)
    if not isinstance(jobs, int) or jobs < 1:
        raise UsageError(f"{file}: {JOBS} is {jobs!r}; give how many jobs to submit.")
    known = [
        name
        for made in (SLURMCluster, SLURMCluster.job_cls, Job)
        for name in inspect.signature(made.__init__).parameters
    ]
    unknown = [name for name in options if name not in known]
    if unknown:
        hint = did_you_mean(unknown[0], [JOBS, *known])
        raise UsageError(
            f"{file}: {unknown[0]} is neither {JOBS} nor a keyword of "
            f"dask_jobqueue.SLURMCluster.{hint}"
        )
    shared = f"export {SHARED_BY}={options.get('processes', 1)}"
    options["job_script_prologue"] = [*options.get("job_script_prologue", ()), shared]
    # SLURM itself watches memory; Dask would stop workers whose files are cached.
    extra = options.get("worker_extra_args", ())
    options["worker_extra_args"] = ["--memory-limit", "0", *extra]
    try:
        cluster = SLURMCluster(**options)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{file}: dask_jobqueue.SLURMCluster says: {error}") from None
    with cluster:
        cluster.scale(jobs=jobs)
        log.info("Submitted %s to SLURM.", amount(jobs, "job"))
        yield cluster


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        toml = _toml()
    except ImportError as error:
        raise _missing("tomli", error) from None
    try:
        return dict(toml.loads(file.read_text(encoding="utf-8")))
    except ValueError as error:
        raise UsageError(f"{file} cannot be read: {error}") from None


def _toml() -> Any:
    try:
        import tomllib
    except ImportError:  # Python 3.10
        import tomli

        return tomli
    return tomllib


def _wait_for_workers(client: Any, word: str, patience: float, least: int) -> None:
    """Return once there are workers; with no patience given, wait for ever."""
    begin = said = time.monotonic()
    while len(workers_of(client)) < least:
        waited = time.monotonic() - begin
        if patience and waited > patience:
            raise UsageError(
                f"--cluster {word}: the scheduler has no worker. Start some with `dask "
                "worker`; see docs/cluster.md."
            )
        if time.monotonic() - said > SAY_SECONDS:
            said = time.monotonic()
            log.info("%s: no worker yet, after %.0f s.", word, waited)
        with suppress(TimeoutError):
            client.wait_for_workers(least, timeout=1.0)
