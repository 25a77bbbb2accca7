"""How far the prediction of several cases has come."""

from __future__ import annotations

import io
from collections.abc import Sequence

from autoseg.parallel import Progress
from autoseg.predict.cases import Job


class Percent:
    """Progress over all cases, in percent of each.

    Parameters
    ----------
    jobs : sequence of Job
        The cases, in the order in which they come.
    show : bool
        Whether anybody sees it.
    """

    def __init__(self, jobs: Sequence[Job], show: bool) -> None:
        stream = None if show else io.StringIO()
        self._bar = Progress(100 * len(jobs), "predict", stream, percent=True)
        self._number, self._cases = 0, len(jobs)
        self._shown = 0
        self._name = ""

    def __enter__(self) -> Percent:
        self._bar.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.__exit__()

    def begin(self, job: Job) -> None:
        """Go on to the next case."""
        self._number, self._shown = self._number + 1, 0
        self._name = f"{job.case.id} ({self._number} of {self._cases})"

    def show(self, done: int, total: int) -> None:
        """Show that so many of a case's windows are predicted."""
        percent = 100 * done // max(1, total)
        if percent > self._shown:
            self._bar.step(self._name, percent - self._shown)
            self._shown = percent

    def end(self) -> None:
        """Show that a case is done."""
        self.show(1, 1)
