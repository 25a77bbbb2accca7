"""Work for a few threads that do not wait for each other in every operation.

torch shares each single operation among its threads, which wait for one another at its
end. Here operations are many and short: beside a busy neighbor the waiting took ten
times as long as the work. So threads of Python take large pieces, and inside each of
them torch computes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from autoseg.errors import UsageError

Run = Callable[[Callable[[Any], Any], Sequence[Any]], list[Any]]


@contextmanager
def workers(most: int | None = None) -> Iterator[tuple[int, Run]]:
    """Compute inside with as many threads of Python as torch has in this thread.

    Parameters
    ----------
    most : int, optional
        No more threads of Python than this; each then computes with its share of
        torch's.

    Yields
    ------
    threads : int
        How many.
    run : callable
        Applies a function to each of some items, and returns what came of them when
        all are done.
    """
    import torch

    before = torch.get_num_threads()
    threads = min(before, most or before)
    if threads == 1:
        yield 1, _one_by_one
        return
    share = before // threads
    torch.set_num_threads(share)
    try:
        with ThreadPoolExecutor(
            threads, "share", initializer=torch.set_num_threads, initargs=(share,)
        ) as pool:
            yield threads, lambda function, items: _all(pool, function, items)
    finally:
        torch.set_num_threads(before)


@contextmanager
def limited_to(threads: int | None) -> Iterator[None]:
    """Compute inside with this many threads of torch, and as before afterwards.

    Parameters
    ----------
    threads : int or None
        How many, 1 or more; None: as many as there are.

    Raises
    ------
    UsageError
        If it is below 1.
    """
    import torch

    if threads is None:
        yield
        return
    if threads < 1:
        raise UsageError(f"the number of threads is {threads}; give 1 or more.")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _one_by_one(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    return [function(item) for item in items]


def _all(
    pool: ThreadPoolExecutor, function: Callable[[Any], Any], items: Sequence[Any]
) -> list[Any]:
    return list(pool.map(function, items))
