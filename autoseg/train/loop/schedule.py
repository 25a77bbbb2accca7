"""The learning rate as a function of progress: 0 at the start, 1 at the end."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoseg.train.setup.recipes import Recipe

# Where a rise starts, and one-cycle ends, as parts of the highest learning rate.
START = 1 / 25
ONE_CYCLE_END = 1e-4


def learning_rate(recipe: Recipe, progress: float) -> float:
    """Return the learning rate at some point of the training.

    Parameters
    ----------
    recipe : Recipe
        Its ``schedule`` is ``"polynomial"``: falls as ``(1 - progress) ** power``;
        ``"one_cycle"``: rises on half a cosine from 1/25 of the highest for the share
        ``warmup``, then falls on half a cosine to a ten-thousandth;
        ``"warmup_polynomial"`` or ``"warmup_cosine"``: rises on a line from there, then
        falls to 0 as the polynomial does over the rest, or on half a cosine.
    progress : float
        0 at the first iteration, 1 after the last.

    Returns
    -------
    float
        Above 0 before the end.

    References
    ----------
    .. [1] Smith, Topin, "Super-convergence: very fast training of neural networks
       using large learning rates", SPIE 11006, 2019. doi:10.1117/12.2520589

    Examples
    --------
    >>> from autoseg.train.setup.recipes import RECIPES
    >>> learning_rate(RECIPES["nnunet"], 0.0)
    0.01
    >>> learning_rate(RECIPES["fast"], 0.15) == RECIPES["fast"].learning_rate
    True
    """
    progress = min(max(progress, 0.0), 1.0)
    highest = recipe.learning_rate
    if recipe.schedule == "polynomial":
        return float(highest * (1 - progress) ** recipe.power)
    if progress < recipe.warmup:
        share = progress / recipe.warmup
        if recipe.schedule == "one_cycle":
            return highest * _cosine(START, 1.0, share)
        return highest * (START + (1 - START) * share)
    rest = (progress - recipe.warmup) / (1 - recipe.warmup)
    if recipe.schedule == "warmup_polynomial":
        return float(highest * (1 - rest) ** recipe.power)
    end = ONE_CYCLE_END if recipe.schedule == "one_cycle" else 0.0
    return highest * _cosine(1.0, end, rest)


def taken_share(recipe: Recipe, progress: float) -> float:
    """Return the learning rate of taken weights as a share of that of the rest.

    Parameters
    ----------
    recipe : Recipe
        Its ``taken_rate`` is reached on a line, over its ``taken_warmup``.
    progress : float
        0 at the first iteration, 1 after the last.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from autoseg.train.setup.recipes import RECIPES
    >>> slow = replace(RECIPES["fast"], taken_rate=0.5, taken_warmup=0.2)
    >>> [taken_share(slow, progress) for progress in (0.0, 0.1, 0.2, 0.9)]
    [0.02, 0.26, 0.5, 0.5]
    """
    if progress >= recipe.taken_warmup:
        return recipe.taken_rate
    share = max(0.0, progress) / recipe.taken_warmup
    return recipe.taken_rate * (START + (1 - START) * share)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


class Clock:
    """How far the training is, by iterations or by time.

    With a number of iterations, progress is the iteration's share of them. With a
    time budget, each iteration moves progress on by its share of the iterations that
    the time left is expected to allow, so that the schedule reaches its end when the
    time does, however the speed changes on the way.

    Parameters
    ----------
    iterations : int or None
        Length of the training.
    seconds : float or None
        Time budget; exactly one of the two is given.
    step : int
        Progress of the polynomial schedule moves in steps of so many iterations, as
        nnU-Net's does once an epoch; 1: smoothly.

    Attributes
    ----------
    iteration : int
        Iterations done.
    progress : float
        In [0, 1].
    used : float
        Seconds of training so far, over all restarts.
    """

    def __init__(
        self, iterations: int | None, seconds: float | None, step: int = 1
    ) -> None:
        self.iterations = iterations
        self.seconds = seconds
        self.step = step
        self.iteration = 0
        self.progress = 0.0
        self.used = 0.0
        self.pace: float | None = None  # expected seconds of the next iteration
        self.beside = 0.0  # seconds of `used` that no iteration took

    @property
    def finished(self) -> bool:
        """Whether the training is at its end."""
        if self.iterations is not None:
            return self.iteration >= self.iterations
        return self.progress >= 1.0

    @property
    def scheduled(self) -> float:
        """Progress as the schedule sees it, in steps where it is to move in steps."""
        if self.iterations is None:
            return self.progress
        return self.iteration // self.step * self.step / self.iterations

    @property
    def left(self) -> float | None:
        """Expected seconds until the end; None before anything was measured."""
        if self.pace is None:
            return None
        if self.iterations is not None:
            return self._full_pace * (self.iterations - self.iteration)
        return max(0.0, (self.seconds or 0.0) - self.used)

    @property
    def _full_pace(self) -> float:
        """Seconds of an iteration with its share of what is done beside them."""
        inside = max(self.used - self.beside, 1e-9)
        return max(self.pace or 0.0, 1e-9) * (1 + self.beside / inside)

    def spend(self, seconds: float) -> None:
        """Count time beside the iterations: validation, checkpoints."""
        self.used += seconds
        self.beside += seconds

    def tick(self, seconds: float) -> None:
        """Count one iteration that took so many seconds."""
        self.iteration += 1
        self.used += seconds
        # An average over about the last fifty; one slow iteration hardly moves it.
        share = max(1 / 50, 1 / self.iteration)
        before = seconds if self.pace is None else self.pace
        self.pace = before + share * (min(seconds, 10 * before) - before)
        if self.iterations is not None:
            self.progress = min(1.0, self.iteration / self.iterations)
        else:
            time_left = (self.seconds or 0.0) - self.used
            expected = max(0.0, time_left / self._full_pace)
            # `expected` more after this one: this one's share is one of them all.
            self.progress += (1 - self.progress) / (expected + 1)
            if expected < 0.5:
                self.progress = 1.0

    def numbers(self) -> list[float]:
        """Return all of its state, for other processes; a pace not known is NaN."""
        return [math.nan if n is None else float(n) for n in self.state().values()]

    def set(self, numbers: Sequence[float]) -> None:
        """Take over the numbers of another process's clock."""
        found = dict(zip(self.state(), numbers, strict=True))
        pace = found["pace"]
        self.load({**found, "pace": None if math.isnan(pace) else pace})

    def state(self) -> dict[str, float | int | None]:
        """Return what a checkpoint has to keep."""
        return {
            "iteration": self.iteration,
            "progress": self.progress,
            "used": self.used,
            "pace": self.pace,
            "beside": self.beside,
        }

    def load(self, state: dict[str, float | int | None]) -> None:
        """Go on from a checkpoint's state."""
        self.iteration = int(state["iteration"] or 0)
        self.progress = float(state["progress"] or 0.0)
        self.used = float(state["used"] or 0.0)
        self.beside = float(state["beside"] or 0.0)
        pace = state["pace"]
        self.pace = None if pace is None else float(pace)
