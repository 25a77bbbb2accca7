"""What happened in a training: log.jsonl, a picture, and the bar's words."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from autoseg.errors import of_machine
from autoseg.figures.progress import plot_progress
from autoseg.progress import spoken
from autoseg.spec.json import write_text
from autoseg.workspace import LOG, PROGRESS

logger = logging.getLogger(__name__)

SLOW_LOADER = 0.3  # share of the time spent waiting from which on a word is said
DRAW_SECONDS = 60.0  # a picture is drawn no more often than this


class Meter:
    """Sums over the iterations since the last line of the log."""

    FIELDS = ("iterations", "loss", "seconds", "waiting", "reading", "augmenting")

    def __init__(self) -> None:
        self.sums: dict[str, float] = dict.fromkeys(self.FIELDS, 0.0)

    def add(self, **values: float) -> None:
        """Count one iteration's loss and seconds."""
        self.sums["iterations"] += 1
        for key, value in values.items():
            self.sums[key] += value

    def add_loss(self, loss: float) -> None:
        """Count a loss, which is known later than the seconds on a GPU."""
        self.sums["loss"] += loss

    def summary(self) -> dict[str, float]:
        """Return means, and where the time went as shares of it."""
        count = max(self.sums["iterations"], 1.0)
        seconds = max(self.sums["seconds"], 1e-9)
        return {
            "loss": _digits(self.sums["loss"] / count),
            "seconds_per_iteration": _digits(self.sums["seconds"] / count),
            "waiting_for_loader": _digits(self.sums["waiting"] / seconds, 3),
            "loader_reading": _digits(self.sums["reading"] / count),
            "loader_augmenting": _digits(self.sums["augmenting"] / count),
        }

    def clear(self) -> None:
        """Start again."""
        self.sums = dict.fromkeys(self.FIELDS, 0.0)


def _digits(value: float, digits: int = 5) -> float:
    """Return a number with so many significant digits; NaN and infinity as they are."""
    if not math.isfinite(value) or value == 0:
        return value
    return float(f"{value:.{digits}g}")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a log, also while it is being written."""
    entries = []
    for row in path.read_text(encoding="utf-8").splitlines():
        try:
            entries.append(json.loads(row))
        except json.JSONDecodeError:  # cut off when the process was killed
            continue
    return entries


class Logbook:
    """The log of one fold: a line of JSON for each entry, and a picture of them.

    Parameters
    ----------
    folder : Path
        The fold's.
    iteration : int
        Where the training stands; entries of later iterations, which a stopped
        training wrote after its last checkpoint, are dropped.
    kept : bool
        Whether there is a file; of several processes, one writes it.
    """

    def __init__(self, folder: Path, iteration: int = 0, kept: bool = True) -> None:
        self.folder = folder
        self.entries: list[dict[str, Any]] = []
        self.tell: Callable[[dict[str, Any]], None] | None = None  # of each entry
        self._drawn = -math.inf
        self._in_picture = 0  # entries
        path = folder / LOG
        if kept and path.is_file():
            self.entries = [
                entry
                for entry in read_log(path)
                if entry.get("iteration", math.inf) <= iteration
            ]
            write_text(path, "".join(f"{json.dumps(e)}\n" for e in self.entries))

    def add(self, entry: dict[str, Any]) -> None:
        """Write one entry; a picture, too, if the last one is old."""
        self.entries.append(entry)
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        if self.tell is not None:
            self.tell(entry)
        if time.monotonic() - self._drawn > DRAW_SECONDS:
            self.draw()

    def draw(self) -> None:
        """Draw the picture of all entries, unless it shows them already."""
        if self._in_picture == len(self.entries):
            return
        if not any("loss" in entry for entry in self.entries):
            return
        try:
            plot_progress(self.entries, self.folder / PROGRESS)
        except Exception as error:  # a picture is no reason to lose a training
            said = of_machine(error)
            why = "" if said is None else f": {said}"
            logger.warning("progress.png was not drawn%s", why, exc_info=said is None)
        self._drawn = time.monotonic()
        self._in_picture = len(self.entries)


def in_a_line(entry: Mapping[str, Any], lowest: float = 0.0) -> str:
    """Return what an epoch came to, in a line of a terminal.

    Parameters
    ----------
    entry : mapping
        Of the log, with a validation.
    lowest : float
        What the loss can fall to; it is shown from there on.

    Examples
    --------
    >>> entry = {"epoch": 2, "loss": -0.4, "learning_rate": 0.01, "seconds": 90.0}
    >>> in_a_line({**entry, "progress": 0.5, "dice": {"a": 0.8, "b": None}}, -1.0)
    'epoch 2   loss 0.600   Dice 0.800 of patches   rate 0.01   1 min 30 s left'
    """
    parts = [f"epoch {entry['epoch']}", f"loss {entry['loss'] - lowest:.3f}"]
    dice = [value for value in (entry.get("dice") or {}).values() if value is not None]
    if dice:
        parts.append(f"Dice {sum(dice) / len(dice):.3f} of patches")
    elif "validation_loss" in entry:
        parts.append(f"validation loss {entry['validation_loss'] - lowest:.3f}")
    parts.append(f"rate {entry['learning_rate']:.2g}")
    done = entry["progress"]
    if 0 < done < 1:
        parts.append(f"{spoken(entry['seconds'] / done * (1 - done))} left")
    return "   ".join(parts)


def waits(share: float) -> bool:
    """Say that training waits for its data, if it does; return whether it was said.

    Parameters
    ----------
    share : float
        Of the time that was spent waiting.
    """
    if share <= SLOW_LOADER:
        return False
    logger.warning(
        "Training waits for its data in %.0f %% of the time. More threads may help "
        "(--workers), or a disk that is nearer.",
        100 * share,
    )
    return True


def memory_of(device: torch.device) -> int:
    """Return the peak of a GPU's memory in bytes, or this process's memory now."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    import psutil

    return int(psutil.Process().memory_info().rss)
