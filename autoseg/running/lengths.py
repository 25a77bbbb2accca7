"""How long a run may take, and what to make of the time."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE, HOUR = 60.0, 3600.0
ON_CPU = (20 * MINUTE, 2 * HOUR, 10 * HOUR)
ON_GPU = (20 * MINUTE, 3 * HOUR, 20 * HOUR)
EXPECTED = (
    "a first impression",
    "a model that is useful where the task is easy",
    "overnight: close to the best of this machine",
)
LEAST_OF_A_FOLD = 40 * MINUTE
SELECTION_SHARE = 0.12  # of the time, where one model is made of a cross-validation
MOST_OF_SELECTION = 5 * MINUTE


@dataclass(frozen=True)
class Length:
    """A length that is offered.

    Parameters
    ----------
    seconds : float
        Of the whole run.
    iterations : int or None
        That fit, with the smallest network that may be taken; None: not measured.
    expected : str
        What to expect, in words.
    """

    seconds: float
    iterations: int | None
    expected: str

    def __str__(self) -> str:
        count = "" if self.iterations is None else f"up to {self.iterations} steps: "
        return f"{spoken(self.seconds):<8} {count}{self.expected}"


def offered(
    gpu: bool, seconds_of_a_step: float | None, page: float = 0.0
) -> list[Length]:
    """Return three lengths, the shortest first.

    Parameters
    ----------
    gpu : bool
        Whether there is one.
    seconds_of_a_step : float or None
        Of the smallest network.
    page : float
        Seconds of the report.

    Examples
    --------
    >>> [length.iterations for length in offered(False, 1.0, page=20.0)]
    [1180, 7180, 35980]
    """
    found = []
    for seconds, words in zip(ON_GPU if gpu else ON_CPU, EXPECTED, strict=True):
        free = seconds - kept(seconds, page)
        steps = None if not seconds_of_a_step else int(free / seconds_of_a_step)
        found.append(Length(seconds, steps, words))
    return found


def kept(budget: float, page: float, whole: bool = False) -> float:
    """Return the seconds that are kept for what follows training and predictions.

    Parameters
    ----------
    budget : float
        Of everything together.
    page : float
        Seconds of the report.
    whole : bool
        All folds are trained, so that one model is made of them.

    Examples
    --------
    >>> kept(600, 9), kept(9000, 9, whole=True), kept(60, 40)
    (9, 309.0, 30.0)
    """
    selection = min(MOST_OF_SELECTION, SELECTION_SHARE * budget) if whole else 0
    return min(page + selection, budget / 2)


def folds_in(seconds: float, there: int) -> int:
    """Return how many folds are trained in a time.

    Parameters
    ----------
    seconds : float
        For all of them.
    there : int
        Folds of the cross-validation.

    Examples
    --------
    >>> folds_in(600, 5), folds_in(7200, 5), folds_in(36_000, 5)
    (1, 3, 5)
    """
    return max(1, min(there, int(seconds / LEAST_OF_A_FOLD)))


def spoken(seconds: float) -> str:
    """Return a time as ``--time-budget`` takes it.

    Examples
    --------
    >>> spoken(1200), spoken(9000), spoken(45), spoken(7199.6), spoken(100)
    ('20m', '2h30m', '45s', '2h', '1m40s')
    """
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m" if minutes else f"{hours}h"
    if minutes:
        return f"{minutes}m{rest}s" if rest and minutes < 10 else f"{minutes}m"
    return f"{rest}s"
