"""What happens to one item on a worker of a cluster, and what comes back of it.

An error is a result here: it comes back with the text of its traceback, and so does
what was logged. Neither depends on what Dask does with exceptions.
"""

from __future__ import annotations

import copy
import gc
import inspect
import logging
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autoseg import __version__
from autoseg.errors import ClusterError, some_of
from autoseg.executors.base import Work
from autoseg.machine import cores

log = logging.getLogger("autoseg")

PLAIN = (str, bytes, int, float, bool, type(None))


def whoami() -> str:
    """Return a name of this process that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a worker has to agree to, beside the work itself.

    Parameters
    ----------
    files : mapping of str to int or None
        What it must see as the one does that asks: files by their size in bytes,
        folders by None.
    version : str
        Of autoseg.
    asker : str
        Process that asks.
    level : int
        Of what is logged.
    """

    files: Mapping[str, int | None] = field(default_factory=dict)
    version: str = __version__
    asker: str = field(default_factory=whoami)
    level: int = field(default_factory=log.getEffectiveLevel)

    def check(self) -> None:
        """Raise ClusterError if this process cannot do what is asked."""
        here = socket.gethostname()
        if self.version != __version__:
            raise ClusterError(
                f"the worker on {here} has autoseg {__version__}, and this command "
                f"{self.version}. Start workers in the same environment."
            )
        unseen = [path for path, size in self.files.items() if not _is(path, size)]
        if unseen:
            raise ClusterError(
                f"the worker on {here} does not see {some_of(unseen, 3)}, or something "
                "else there. Data set, ROOT and outputs must lie on a file system "
                "that all workers see, under the same path."
            )


def _is(path: str, size: int | None) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    return size is None or status.st_size == size


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an item.

    Parameters
    ----------
    result : anything
        What the work returned.
    error : Exception, optional
        What it raised instead.
    trace : str
        Where it was raised.
    said : tuple of (str, int, str)
        What was logged: logger, level and message.
    seconds : float
        How long it took.
    """

    result: Any = None
    error: Exception | None = None
    trace: str = ""
    said: tuple[tuple[str, int, str], ...] = ()
    seconds: float = 0.0

    def given(self) -> Any:
        """Log what was said, and return the result or raise the error."""
        for name, level, text in self.said:
            logging.getLogger(name).log(level, "%s", text)
        if self.error is not None:
            self.error.__cause__ = _Trace(self.trace) if self.trace else None
            raise self.error
        return self.result


def perform(
    work: Work, items: Sequence[Any], order: Order, share: int = 1
) -> list[Outcome]:
    """Work on items one after the other, on a worker.

    Parameters
    ----------
    work : callable
        What is done with each.
    items : sequence
        Several of them, if each is soon done: sending them costs as much as one.
    order : Order
        What the worker has to agree to.
    share : int
        How many tasks this process works on at the same time.

    Returns
    -------
    list of Outcome
        Of each item, errors included.
    """
    try:
        order.check()
    except ClusterError as error:
        return [Outcome(error=error)] * len(items)
    threads = max(1, cores() // share)
    return [_one(work, item, order, threads) for item in items]


def _one(work: Work, item: Any, order: Order, threads: int) -> Outcome:
    said: list[tuple[str, int, str]] = []
    began = time.perf_counter()
    try:
        with _heard(order, said):
            result = work(item, threads)
    except Exception as error:
        text = traceback.format_exc()
        return Outcome(error=portable(error), trace=text, said=tuple(said))
    took = time.perf_counter() - began
    return Outcome(result=result, said=tuple(said), seconds=took)


@contextmanager
def _heard(order: Order, said: list[tuple[str, int, str]]) -> Iterator[None]:
    """Note what this thread logs, unless whoever asks is this very process."""
    if order.asker == whoami():
        yield
        return
    ear = _Ear(order.level, said)
    log.setLevel(order.level)
    log.addHandler(ear)
    try:
        yield
    finally:
        log.removeHandler(ear)


class _Ear(logging.Handler):
    """Notes what one thread logs."""

    def __init__(self, level: int, said: list[tuple[str, int, str]]) -> None:
        super().__init__(level)
        self._thread, self._said = threading.get_ident(), said

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record."""
        if record.thread == self._thread:
            self._said.append((record.name, record.levelno, record.getMessage()))


def portable(error: Exception) -> Exception:
    """Return an error that can be sent: the very one, or one that says the same."""
    plain = all(isinstance(value, PLAIN) for value in error.args)
    own = type(error).__module__.partition(".")[0] in ("builtins", "autoseg")
    try:
        same = plain and own and str(copy.copy(error)) == str(error)
    except Exception:  # whatever its constructor says to being called again
        same = False
    return error if same else SaidElsewhere(repr(error))


class SaidElsewhere(Exception):
    """An error of a worker that cannot be sent itself; its text says which."""

    def __repr__(self) -> str:
        return str(self)


class _Trace(Exception):
    """Where an error was raised on a worker."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


_lock = threading.Lock()
_kept: dict[str, Any] = {}  # what the last job keeps in this process


def kept(job: str, make: Callable[[], Any]) -> Any:
    """Return what a job keeps on a worker from one item to the next.

    Parameters
    ----------
    job : str
        Whose it is; what another job kept is dropped.
    make : callable
        Makes it when the job needs it for the first time.
    """
    with _lock:
        if job not in _kept:
            _kept.clear()
            _kept[job] = make()
        return _kept[job]


def forget(job: str) -> None:
    """Drop what a job keeps here, also from the memory of a GPU."""
    with _lock:
        if _kept.pop(job, None) is None:
            return
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()


def workers_of(client: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return what a cluster's scheduler says of each of its workers, by address."""
    # Some versions of Dask tell of five workers unless they are asked for all.
    known = inspect.signature(client.scheduler_info).parameters
    asked = {"n_workers": -1} if "n_workers" in known else {}
    found: Mapping[str, Mapping[str, Any]] = client.scheduler_info(**asked)["workers"]
    return found


def files_to_see(*paths: Path) -> dict[str, int | None]:
    """Return what `Order.files` says of files and folders."""
    return {
        str(path.absolute()): path.stat().st_size if path.is_file() else None
        for path in paths
    }
