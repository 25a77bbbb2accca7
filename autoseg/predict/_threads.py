"""Threads that read ahead and write behind while the calling one predicts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import torch

from autoseg.predict.job import Job

T = TypeVar("T")
Failed = Callable[[Job, Exception], None]


class Writers:
    """Threads that write, and do not fall behind by more cases than there are threads.

    With no thread, each case is waited for.

    Parameters
    ----------
    threads : int
        How many.
    failed : callable
        Told of each case that could not be written.
    """

    def __init__(self, threads: int, failed: Failed) -> None:
        self._threads = threads
        self._failed = failed
        self._pool = ThreadPoolExecutor(max(1, threads), thread_name_prefix="write")
        self._waiting: deque[tuple[Job, Future[None]]] = deque()

    def submit(self, job: Job, function: Callable[[], None]) -> None:
        """Have a case written."""
        self._waiting.append((job, self._pool.submit(function)))
        self._settle(self._threads)

    def _settle(self, most: int) -> None:
        while len(self._waiting) > most:
            job, future = self._waiting.popleft()
            error = future.exception()
            if isinstance(error, Exception):
                self._failed(job, error)
            elif error is not None:
                raise error

    def __enter__(self) -> Writers:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        try:
            if kind is None:
                self._settle(0)
        finally:
            self._pool.shutdown(wait=True, cancel_futures=kind is not None)


def ahead(
    function: Callable[[Job], T], jobs: Sequence[Job], threads: int
) -> Iterator[tuple[Job, T | Exception]]:
    """Yield each job with what a function made of it, or why it could not.

    Parameters
    ----------
    function : callable
        Runs in threads, for as many jobs ahead as there are threads; with none when the
        next job is asked for.
    jobs : sequence of Job
        In this order.
    threads : int
        How many.

    Yields
    ------
    job : Job
        The next.
    made : anything, or Exception
        What came of it.
    """

    def attempt(job: Job) -> T | Exception:
        if threads:
            torch.set_num_threads(1)  # of this thread only: the others predict
        try:
            return function(job)
        except Exception as error:
            return error

    if not threads:
        for job in jobs:
            yield job, attempt(job)
        return
    pool = ThreadPoolExecutor(threads, thread_name_prefix="read")
    waiting: deque[tuple[Job, Future[T | Exception]]] = deque()
    try:
        for job in jobs:
            waiting.append((job, pool.submit(attempt, job)))
            if len(waiting) > threads:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
