"""Threads of this process.

The work is NumPy, SciPy, SimpleITK and torch, which let go of the interpreter while
they compute, so nothing is copied between processes and a worker cannot die alone.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from autoseg.executors.base import Work


class Threads:
    """An `Executor` of threads.

    Parameters
    ----------
    count : int
        How many.
    threads : int
        How many threads each item may start.
    name : str
        What the threads are called.
    """

    def __init__(self, count: int, threads: int, name: str) -> None:
        self.slots = count
        self._threads = threads
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    def has_room(self, running: int, waiting: int) -> bool:
        """Two for each thread: none waits for the one that submits."""
        return running + waiting < 2 * self.slots

    def submit(self, work: Work, item: Any) -> Future[Any]:
        """Have an item worked on."""
        return self._pool.submit(work, item, self._threads)

    def flush(self) -> None:
        """Threads begin at once."""

    def watch(self) -> None:
        """Threads are there as long as the process is."""

    def shutdown(self) -> None:
        """Begin nothing more; threads end when the program does."""
        self._pool.shutdown(wait=False, cancel_futures=True)
