"""What `map_cases` needs of whatever works on cases: the one protocol."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol

Work = Callable[[Any, int], Any]
"""Given an item, and how many threads it may start where it runs."""


class Executor(Protocol):
    """Works on several items at the same time, in any order."""

    @property
    def slots(self) -> int:
        """How many items are worked on at the same time, at least 1; it may change."""

    def has_room(self, running: int, waiting: int) -> bool:
        """Return whether one more item may be submitted.

        Parameters
        ----------
        running : int
            Items that are submitted and not done.
        waiting : int
            Results that wait to be handed on in order.
        """

    def submit(self, work: Work, item: Any) -> Future[Any]:
        """Have an item worked on; the future has the result, or its error."""

    def flush(self) -> None:
        """Begin all that was submitted, as soon as there is a place for it."""

    def watch(self) -> None:
        """Look what is wrong, if nothing has come for a while.

        Raises
        ------
        AutosegError
            If nothing will come any more.
        """

    def shutdown(self) -> None:
        """Let go of everything that is not done; wait for nothing."""
