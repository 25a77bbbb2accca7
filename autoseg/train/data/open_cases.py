"""Stored cases that are kept open while patches are read from them."""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable
from typing import Any

OPEN_CASES = 256  # stored cases kept open; each holds a few file handles


class OpenCases:
    """Stored cases by id, the last used ones kept open.

    Parameters
    ----------
    open_case : callable
        Opens one, such as `CaseStore.open`.
    limit : int
        How many are kept.
    """

    def __init__(
        self, open_case: Callable[[str], Any], limit: int = OPEN_CASES
    ) -> None:
        self._open = open_case
        self._limit = limit
        self._cases: collections.OrderedDict[str, Any] = collections.OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, case_id: str) -> Any:
        """Return the stored case of this id."""
        with self._lock:
            if case_id in self._cases:
                self._cases.move_to_end(case_id)
                return self._cases[case_id]
        case = self._open(case_id)
        with self._lock:
            self._cases[case_id] = case
            while len(self._cases) > self._limit:
                self._cases.popitem(last=False)
        return case
