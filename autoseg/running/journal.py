"""What a run has decided and spent, so that it goes on after it was stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from autoseg.errors import PlanError, UsageError, amount
from autoseg.running.lengths import spoken
from autoseg.spec.json import dumps, from_json, load_json, to_json, write_text


@dataclass(frozen=True, kw_only=True)
class Decided:
    """What the first start of a run has decided.

    Parameters
    ----------
    budget : float
        Seconds of everything together.
    configuration : str
        What is trained.
    folds : dict of str to float
        Seconds of training, validation included, by fold.
    spent : float
        Seconds of all starts before.
    fine : str
        A second configuration, which looks closer at what the first finds and gets half
        of a fold's time; empty: none.
    """

    budget: float
    configuration: str = ""
    folds: dict[str, float] = field(default_factory=dict)
    spent: float = 0.0
    fine: str = ""

    @property
    def stages(self) -> tuple[str, ...]:
        """Configurations that are trained, one after the other."""
        return (self.configuration, self.fine) if self.fine else (self.configuration,)


class Journal:
    """The file of a run, and its clock.

    Parameters
    ----------
    path : Path
        Where it is kept.
    again : bool
        Begin anew, whatever was decided before.
    """

    def __init__(self, path: Path, again: bool = False) -> None:
        self.path = path
        self._start = time.monotonic()
        self.decided: Decided | None = None
        if path.is_file() and not again:
            raw = load_json(path, error=PlanError)
            self.decided = from_json(Decided, raw, str(path))
        self._before = self.decided.spent if self.decided else 0.0

    def begin(self, budget: float, start: float | None = None) -> None:
        """Begin a run of so many seconds, from now or a moment before.

        Parameters
        ----------
        budget : float
            Seconds of everything together.
        start : float, optional
            When it began, by `time.monotonic`; by default now.
        """
        self._before = 0.0
        self._start = time.monotonic() if start is None else start
        self.decided = Decided(budget=budget)
        self.save()

    @property
    def trains(self) -> bool:
        """Whether it is decided what is trained."""
        return self.decided is not None and bool(self.decided.folds)

    @property
    def configuration(self) -> str:
        """What is trained; empty: not decided yet."""
        return self.decided.configuration if self.decided else ""

    @property
    def spent(self) -> float:
        """Seconds that all starts have taken so far."""
        return self._before + time.monotonic() - self._start

    @property
    def left(self) -> float:
        """Seconds until the budget is used up."""
        return 0.0 if self.decided is None else self.decided.budget - self.spent

    def refuse_others(
        self, budget: float | None, configuration: str | None, folds: int | None
    ) -> None:
        """Raise if it is decided what is trained, and something else is asked for.

        Parameters
        ----------
        budget : float or None
            Seconds of everything together; None: whatever was decided.
        configuration : str or None
            What is trained.
        folds : int or None
            How many of them.

        Raises
        ------
        UsageError
            Naming the options that differ, and what can be done.
        """
        decided = self.decided
        if decided is None or not decided.folds:
            return
        others = {
            "--time-budget": budget not in (None, decided.budget),
            "--configuration": configuration not in (None, *decided.stages),
            "--folds": folds not in (None, len(decided.folds)),
        }
        wrong = [option for option, is_other in others.items() if is_other]
        if wrong:
            trained = " and ".join(decided.stages)
            raise UsageError(
                f"A run of {spoken(decided.budget)} is there already, which trains "
                f"{amount(len(decided.folds), 'fold')} of {trained} "
                f"({self.path}). Leave {' and '.join(wrong)} out to go on with it, or "
                "give --overwrite to train anew."
            )

    def decide(
        self, configuration: str, folds: dict[str, float], fine: str = ""
    ) -> None:
        """Keep what is trained, and for how long."""
        if self.decided is not None:
            self.decided = replace(
                self.decided, configuration=configuration, folds=folds, fine=fine
            )
        self.save()

    def save(self) -> None:
        """Write down what was decided, and the time that is spent."""
        if self.decided is not None:
            now = replace(self.decided, spent=round(self.spent, 1))
            write_text(self.path, dumps(to_json(now)))
