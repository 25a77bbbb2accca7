"""Run one function over many cases; one failing case never stops the others.

In threads, or inside `on_cluster` on the workers of a Dask cluster: see
`autoseg.executors`.
"""

from __future__ import annotations

import sys
import threading
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from autoseg.errors import CaseErrors, UsageError
from autoseg.executors.base import Executor
from autoseg.executors.cluster import Cluster, opened
from autoseg.executors.results import Results
from autoseg.executors.threads import Threads
from autoseg.machine import GIGABYTE, cores, free_memory, used_memory
from autoseg.progress import Progress
from autoseg.spec.foreign.behind import whole_files_at

Item = TypeVar("Item")
Result = TypeVar("Result")

PATIENCE = 20.0  # seconds without a case, after which to look whether any will come

_cluster: ContextVar[Cluster | None] = ContextVar("_cluster", default=None)


def current_cluster() -> Cluster | None:
    """Return the cluster that cases are worked on by where this is called, if any."""
    return _cluster.get()


@contextmanager
def on_cluster(
    word: str | None,
    *paths: Path,
    written: Path | None = None,
    needs: Sequence[str] = (),
) -> Iterator[None]:
    """Have cases worked on by a Dask cluster, inside ``with``.

    Parameters
    ----------
    word : str or None
        Which: see `autoseg.executors.cluster.opened`. None: the one that is open
        already, or else threads.
    *paths : Path
        Files and folders that all workers must see.
    written : Path, optional
        A folder that they write into. It is made.
    needs : sequence of str
        Modules that workers import, where they are started here.

    Raises
    ------
    UsageError
        If there is no such cluster.
    """
    open_one = _cluster.get()
    if open_one is not None:
        with open_one.seeing(*paths, written=written):
            yield
        return
    if word is None:
        yield
        return
    with opened(word, needs) as cluster, cluster.seeing(*paths, written=written):
        token = _cluster.set(cluster)
        try:
            yield
        finally:
            _cluster.reset(token)


def default_workers() -> int:
    """Return how many cores this process may use."""
    return cores()


_here = threading.local()


def threads_here() -> int:
    """Return how many threads one computation may start where it is called.

    As many as there are cores; beside other cases in work, its share of them.
    """
    return getattr(_here, "threads", None) or cores()


def loaded_bytes(files: Iterable[Path]) -> int:
    """Guess how much memory files take once they are read, as float32.

    Parameters
    ----------
    files : iterable of Path
        Images; what is missing counts nothing, and voxels behind a header count, too.

    Returns
    -------
    int
        Bytes. Medical images are mostly two bytes a voxel and pack to a third or so.
    """
    total = 0
    for file in whole_files_at(files):
        if file.is_file():
            plain = file.suffix.lower() in UNPACKED
            total += file.stat().st_size * (2 if plain else 6)
    return total


UNPACKED = (".dcm", ".nii", ".mha", ".img", ".raw", ".bmp", ".gipl", ".npy")


class MemoryBudget:
    """Lets threads in as long as what they need fits in memory together.

    Parameters
    ----------
    total : int, optional
        Bytes; by default four fifths of what the machine has free now.
    """

    def __init__(self, total: int | None = None) -> None:
        self.total = int(0.8 * free_memory()) if total is None else total
        self.used = 0
        self._changed = threading.Condition()
        self._max_memory: float | None = None
        self._token = uuid.uuid4().hex

    def __reduce__(self) -> tuple[Any, ...]:
        """On a worker of a cluster it is that machine's, one for all its cases."""
        return _budget_here, (self._token, self._max_memory)

    @classmethod
    def of(cls, max_memory: float | None) -> MemoryBudget:
        """Return the budget of a process that may take so many GB in all."""
        if max_memory is None:
            return cls()
        if not max_memory > 0:
            raise UsageError(f"the most memory is {max_memory} GB; give over 0.")
        made = cls(max(0, int(max_memory * GIGABYTE) - used_memory()))
        made._max_memory = max_memory
        return made

    @contextmanager
    def take(self, size: int) -> Iterator[Share]:
        """Wait until so many bytes are free, and hold them inside ``with``.

        What is larger than everything goes in alone, since it has to be tried.

        Parameters
        ----------
        size : int
            Bytes; the `Share` that is given can still be corrected.
        """
        share = Share(self, 0)
        with self._changed:
            self._changed.wait_for(
                lambda: not self.used or self.used + size <= self.total
            )
            self.used += size
            share.size = size
        try:
            yield share
        finally:
            share.correct(0)

    def _resize(self, share: Share, size: int) -> None:
        with self._changed:
            self.used += size - share.size
            share.size = size
            self._changed.notify_all()


_budgets: weakref.WeakValueDictionary[str, MemoryBudget] = weakref.WeakValueDictionary()
_budgets_lock = threading.Lock()


def _budget_here(token: str, max_memory: float | None) -> MemoryBudget:
    """Return this process's memory for a job that was begun elsewhere."""
    with _budgets_lock:
        budget = _budgets.get(token)
        if budget is None:
            budget = _budgets[token] = MemoryBudget.of(max_memory)
        return budget


class Share:
    """What one thread holds of a `MemoryBudget`."""

    def __init__(self, budget: MemoryBudget, size: int) -> None:
        self.size = size
        self._budget = budget

    def correct(self, size: int) -> None:
        """Hold so many bytes from now on, without waiting: they are in use anyway."""
        self._budget._resize(self, size)


def check_part(num_parts: int, part_id: int) -> None:
    """Raise UsageError if there is no part of this number."""
    if not 0 <= part_id < num_parts:
        raise UsageError(
            f"part {part_id} of {num_parts}: parts are counted from 0 to num_parts - 1."
        )


def part(items: Sequence[Item], num_parts: int = 1, part_id: int = 0) -> list[Item]:
    """Return every ``num_parts``-th item from ``part_id`` on: one machine's share."""
    check_part(num_parts, part_id)
    return list(items[part_id::num_parts])


def map_cases(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    stage: str,
    workers: int | None = None,
    name: Callable[[Item], str] = str,
    done: Callable[[Item, Result], None] | None = None,
    resources: Mapping[str, float] | None = None,
) -> dict[str, Result]:
    """Apply a function to every item, with a progress bar.

    Parameters
    ----------
    function : callable
        Called with one item, in a thread, or inside `on_cluster` on a worker: then
        function, items and results travel, and should hold no more than is needed.
    items : sequence
        What to work on.
    stage : str
        Verb for the progress bar and the error, such as ``"preprocess"``.
    workers : int, optional
        At the same time; by default as many as there are cores, or as the cluster
        takes.
    name : callable
        Gives an item's case id.
    done : callable, optional
        Called with item and result, in this thread, in the order of ``items``.
    resources : mapping of str to float, optional
        What an item needs of a cluster's worker, such as ``{"GPU": 1}``.

    Returns
    -------
    dict of str to result
        By case id, in the order of ``items``. Empty if ``done`` is given: then results
        are dropped as soon as they were handed on.

    Raises
    ------
    CaseErrors
        At the end, if any case failed; the others are finished by then.

    Notes
    -----
    Ctrl-C waits for no case: a function that writes leaves a file complete or absent.
    """
    executor = _executor(stage, len(items), workers, resources)
    results = Results(items, name, done)
    work = partial(_alone, function)
    left = iter(enumerate(items))
    running: dict[Future[Result], int] = {}
    done_now: SimpleQueue[Future[Result]] = SimpleQueue()
    try:
        with Progress(len(items), stage) as bar:
            while True:
                # A few ahead of each worker, so that results cannot pile up.
                while executor.has_room(len(running), results.waiting):
                    entry = next(left, None)
                    if entry is None:
                        break
                    future = executor.submit(work, entry[1])
                    running[future] = entry[0]
                    future.add_done_callback(done_now.put)
                if not running:
                    break
                executor.flush()
                for future in _finished(done_now, executor):
                    index = running.pop(future)
                    results.take(index, future, stage)
                    bar.step(name(items[index]))
                results.hand_on()
    finally:
        executor.shutdown()
        _together()
    if results.failures:
        failed = len(results.failures)
        raise CaseErrors(stage, results.failures, len(items) - failed)
    return results.kept


def _finished(
    done: SimpleQueue[Future[Result]], executor: Executor
) -> list[Future[Result]]:
    """Return what is done, once there is something; none after a while."""
    try:
        found = [done.get(timeout=PATIENCE)]
    except Empty:
        executor.watch()
        return []
    while not done.empty():
        found.append(done.get())
    return found


def _executor(
    stage: str, count: int, workers: int | None, resources: Mapping[str, float] | None
) -> Executor:
    """Return what works on so many items: the cluster that is open, or threads."""
    cluster = _cluster.get()
    if cluster is not None and count:
        return cluster.executor(stage, count, workers, resources)
    workers = max(1, min(workers or default_workers(), count))
    return Threads(workers, max(1, threads_here() // workers), stage)


def _alone(function: Callable[[Item], Result], item: Item, threads: int) -> Result:
    """Call a function in a thread whose torch starts no threads of its own."""
    _here.threads = threads
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    return function(item)


def _together() -> None:
    """Give this thread back the torch threads that it had.

    Some of torch's libraries keep one number for all threads, which `_alone` has set.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(torch.get_num_threads())
