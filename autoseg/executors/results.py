"""Results of cases, which come in any order and are handed on in that of the cases."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from autoseg.errors import AutosegError, of_machine, stops_everything

Item = TypeVar("Item")
Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Results(Generic[Item, Result]):
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


def _tell(stage: str, case: str, error: Exception) -> None:
    """Keep the traceback of what should not have happened."""
    expected = isinstance(error, AutosegError) or of_machine(error) is not None
    level = logging.DEBUG if expected else logging.ERROR
    log.log(level, "%s: case %s failed.", stage, case, exc_info=error)
