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
KEPT_SHARE = 0.12  # of the time, for selection, report and predictions
MOST_KEPT = 5 * MINUTE
LEAST_KEPT = 15.0
PICTURES_SHARE = 0.4  # of what preparing took; 0.2 to 0.75 were seen
CASE_SECONDS = 2.0  # of an image to be predicted, beside what its windows take


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


def offered(gpu: bool, seconds_of_a_step: float | None) -> list[Length]:
    """Return three lengths, the shortest first.

    Parameters
    ----------
    gpu : bool
        Whether there is one.
    seconds_of_a_step : float or None
        Of the smallest network.

    Examples
    --------
    >>> [length.iterations for length in offered(False, 1.0)]
    [1056, 6900, 35700]
    """
    found = []
    for seconds, words in zip(ON_GPU if gpu else ON_CPU, EXPECTED, strict=True):
        free = seconds - kept(seconds)
        steps = None if not seconds_of_a_step else int(free / seconds_of_a_step)
        found.append(Length(seconds, steps, words))
    return found


def kept(budget: float, images: int = 0, prepared: float = 0.0) -> float:
    """Return the seconds that are kept for what follows the training.

    Parameters
    ----------
    budget : float
        Of everything together.
    images : int
        That are to be predicted.
    prepared : float
        Seconds that checking and preparing took: where images are large or the machine
        is busy, the report's pictures take long, too.

    Examples
    --------
    >>> kept(1200), kept(36_000), kept(60), kept(240, prepared=200)
    (144.0, 300.0, 15.0, 80.0)
    """
    share = min(MOST_KEPT, max(LEAST_KEPT, KEPT_SHARE * budget))
    share = max(share, PICTURES_SHARE * prepared)
    return min(share + CASE_SECONDS * images, budget / 2)


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
