"""Ctrl-C and its like as a wish to stop, so that the iteration is finished first."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autoseg.stopping import answering

logger = logging.getLogger(__name__)


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """Turn Ctrl-C, SIGTERM and SIGHUP into a wish; a second one stops at once."""
    event = threading.Event()

    def ask(number: int, frame: Any) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()
        logger.info("Stopping after this iteration; again to stop at once.")

    with answering(ask):
        yield event
