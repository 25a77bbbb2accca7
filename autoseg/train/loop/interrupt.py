"""Ctrl-C and its like as a wish to stop, so that the iteration is finished first."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autoseg.stopping import answering

logger = logging.getLogger(__name__)


@contextmanager
def stop_requests(patience: float = 0.0) -> Iterator[threading.Event]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into a wish; a second one stops at once.

    Parameters
    ----------
    patience : float
        Seconds in which a second one is the same wish. What starts several processes
        hands them on a signal that they have got from the terminal already.
    """
    event = threading.Event()
    asked = 0.0

    def ask(number: int, frame: Any) -> None:
        nonlocal asked
        if event.is_set():
            if time.monotonic() - asked < patience:
                return
            raise KeyboardInterrupt
        asked = time.monotonic()
        event.set()
        logger.info("Stopping after this iteration; again to stop at once.")

    with answering(ask):
        yield event
