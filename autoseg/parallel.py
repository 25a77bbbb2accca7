"""Run one function over many cases; one failing case never stops the others.

Threads, not processes: the work is NumPy, SciPy, SimpleITK and torch, which let go of
the interpreter while they compute, so nothing is copied between processes and a
worker cannot die alone.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Generic, TypeVar

from autoseg.errors import AutosegError, CaseErrors, UsageError, stops_everything
from autoseg.machine import GIGABYTE, cores, free_memory, used_memory
from autoseg.progress import Progress
from autoseg.spec.foreign.place import all_files_at

Item = TypeVar("Item")
Result = TypeVar("Result")

log = logging.getLogger(__name__)


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
        Images; what is missing counts nothing.

    Returns
    -------
    int
        Bytes. Medical images are mostly two bytes a voxel and pack to a third or so.
    """
    total = 0
    for file in all_files_at(files):
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

    @classmethod
    def of(cls, max_memory: float | None) -> MemoryBudget:
        """Return the budget of a process that may take so many GB in all."""
        if max_memory is None:
            return cls()
        if not max_memory > 0:
            raise UsageError(f"the most memory is {max_memory} GB; give over 0.")
        return cls(max(0, int(max_memory * GIGABYTE) - used_memory()))

    @contextmanager
    def take(self, size: int) -> Iterator[Share]:
        """Wait until so many bytes are free, and hold them inside ``with``.

        What is larger than everything goes in alone, since it has to be tried.

        Parameters
        ----------
        size : int
            Bytes.

        Returns
        -------
        context manager
            Gives the `Share`, which can still be corrected.
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
) -> dict[str, Result]:
    """Apply a function to every item, in threads, with a progress bar.

    Parameters
    ----------
    function : callable
        Called with one item, in a thread.
    items : sequence
        What to work on.
    stage : str
        Verb for the progress bar and the error, such as ``"preprocess"``.
    workers : int, optional
        Threads; by default as many as there are cores.
    name : callable
        Gives an item's case id.
    done : callable, optional
        Called with item and result, in this thread, in the order of ``items``.

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
    Ctrl-C does not wait for the cases in work: their threads end when the program
    does, so a function that writes must leave a file complete or absent.
    """
    workers = max(1, min(workers or default_workers(), len(items)))
    threads = max(1, threads_here() // workers)
    results = _Results(items, name, done)
    pool = ThreadPoolExecutor(workers, thread_name_prefix=stage)
    queue = iter(enumerate(items))
    running: dict[Future[Result], int] = {}
    try:
        with Progress(len(items), stage) as bar:
            while True:
                # No more than two ahead of each worker, so that results cannot pile up
                # that are to be handed on.
                while len(running) + results.waiting < 2 * workers:
                    entry = next(queue, None)
                    if entry is None:
                        break
                    running[pool.submit(_alone, function, entry[1], threads)] = entry[0]
                if not running:
                    break
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    index = running.pop(future)
                    results.take(index, future, stage)
                    bar.step(name(items[index]))
                results.hand_on()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        _together()
    if results.failures:
        failed = len(results.failures)
        raise CaseErrors(stage, results.failures, len(items) - failed)
    return results.kept


class _Results(Generic[Item, Result]):
    """Results that come in any order and are handed on in that of the items."""

    def __init__(
        self,
        items: Sequence[Item],
        name: Callable[[Item], str],
        done: Callable[[Item, Result], None] | None,
    ) -> None:
        self.kept: dict[str, Result] = {}
        self.failures: dict[str, Exception] = {}
        self._items, self._name, self._done = items, name, done
        self._here: dict[int, Result] = {}
        self._failed: set[int] = set()
        self._next = 0

    @property
    def waiting(self) -> int:
        """How many results wait to be handed on."""
        return len(self._here) if self._done else 0

    def take(self, index: int, future: Future[Result], stage: str) -> None:
        """Take what became of an item; raise only what must stop everything."""
        error = future.exception()
        if error is None:
            self._here[index] = future.result()
        elif isinstance(error, Exception) and not stops_everything(error):
            case = self._name(self._items[index])
            _tell(stage, case, error)
            self.failures[case] = error
            self._failed.add(index)
        else:
            raise error

    def hand_on(self) -> None:
        """Hand on all results before which none is missing."""
        while self._next in self._here or self._next in self._failed:
            if self._next in self._here:
                item, result = self._items[self._next], self._here.pop(self._next)
                if self._done is None:
                    self.kept[self._name(item)] = result
                else:
                    self._done(item, result)
            self._next += 1


def _alone(function: Callable[[Item], Result], item: Item, threads: int) -> Result:
    """Call a function in a thread whose torch starts no threads of its own."""
    _here.threads = threads
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)
    return function(item)


def _tell(stage: str, case: str, error: Exception) -> None:
    """Keep the traceback of what should not have happened."""
    expected = isinstance(error, AutosegError)
    level = logging.DEBUG if expected else logging.ERROR
    log.log(level, "%s: case %s failed.", stage, case, exc_info=error)


def _together() -> None:
    """Give this thread back the torch threads that it had.

    Some of torch's libraries keep one number for all threads, which `_alone` has set.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(torch.get_num_threads())
