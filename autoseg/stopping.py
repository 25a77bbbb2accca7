"""Signals that ask to stop: Ctrl-C, `kill`, a terminal that went away, a batch system.

Batch systems announce the end of a job's time by SIGTERM, or by SIGUSR1 where they are
asked to (``sbatch --signal=USR1@300``).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")  # Windows knows the first two
WISHES = ("SIGTERM", "SIGUSR1")  # of whoever gave the time, and will go on later


_last: list[int] = []  # the request that was answered last


def was_wished() -> bool:
    """Return whether a batch system asked to stop last, which is no failure."""
    wishes = {getattr(signal, name, None) for name in WISHES}
    return bool(_last) and _last[0] in wishes


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that ask to stop and that this process does not ignore.

    ``nohup`` has SIGHUP ignored so that the program outlives its terminal.
    """
    found = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    return tuple(s for s in found if signal.getsignal(s) is not signal.SIG_IGN)


@contextmanager
def answering(handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Answer requests to stop with a function, as long as the context lasts.

    Parameters
    ----------
    handler : callable
        Given the signal's number and the frame.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread receives signals
        return

    def noted(number: int, frame: Any) -> None:
        _last[:] = [number]
        handler(number, frame)

    _last.clear()
    before = {number: signal.signal(number, noted) for number in stop_signals()}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def interrupt(number: int, frame: Any) -> None:
    """Stop as Ctrl-C does."""
    raise KeyboardInterrupt
