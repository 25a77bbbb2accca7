"""Signals that ask a program to stop: Ctrl-C, `kill`, and a terminal that went away."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # the last is not known to Windows


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
    before = {number: signal.signal(number, handler) for number in stop_signals()}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def interrupt(number: int, frame: Any) -> None:
    """Stop as Ctrl-C does."""
    raise KeyboardInterrupt
