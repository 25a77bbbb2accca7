"""What a read-out is given to see of an image, and what it says of it.

Letters: K outputs of all heads, N cropped grid.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from autoseg.predict.readouts.uncertainty import Doubt
from autoseg.predict.windows.window import Network, Windows
from autoseg.preprocess.case import Prepared
from autoseg.preprocess.placement import Placement

Array = NDArray[Any]
Progress = Callable[[int, int], None]
"""Told the windows predicted so far, and all of the case."""


class Sink(Protocol):
    """Takes activated outputs, some rows at a time.

    Attributes
    ----------
    alone : bool
        Whether it wants instances' outputs only, and no prediction made of them.
    every : int
        May be left out. Of label maps: one row out of so many is enough, once opened.
    """

    alone: bool

    def open(self, placement: Placement) -> None:
        """Be told the grids before the first rows."""

    def put(self, outputs: Array, axis: int, start: int) -> None:
        """Take float32 outputs (K, *N), but some rows along ``axis`` from ``start``."""


def row_step(sink: Sink) -> int:
    """Return of how many rows an opened sink wants one."""
    return int(getattr(sink, "every", 1))


@dataclass(frozen=True, kw_only=True)
class Sight:
    """An image before its networks.

    Parameters
    ----------
    prepared : Prepared
        The image on the network's grid.
    networks : sequence of Network
        One for each fold.
    windows : Windows
        How the image is cut.
    coarse : annotation, optional
        Of a stage that refines, what the stage before found.
    progress : callable, optional
        Told windows done and windows in all.
    sink : Sink, optional
        Where activated outputs go, if somebody wants them.
    doubt : Doubt, optional
        Takes the disagreement, where ``windows.doubted`` says that there is one.
    memory : callable
        Returns the bytes of main memory that may still be taken.
    factor : float
        By which the image is enlarged for the networks, beside what spacing asks for.
    """

    prepared: Prepared
    networks: Sequence[Network]
    windows: Windows
    coarse: Any = None
    progress: Progress | None = None
    sink: Sink | None = None
    doubt: Doubt | None = None
    memory: Callable[[], float] = lambda: math.inf
    factor: float = 1.0


@dataclass(kw_only=True)
class Opinion:
    """What one of several models says about an image.

    Parameters
    ----------
    found : annotation
        What `Readout.look` gave.
    file : Path, optional
        Where its outputs are.
    sink : Sink, optional
        Puts them there.
    doubt : Doubt, optional
        What the model's own folds and mirrors disagree about.
    """

    found: Any = None
    file: Path | None = None
    sink: Sink | None = None
    doubt: Doubt | None = None
