"""How far a long computation is, and how long the rest will take."""

from __future__ import annotations

import sys
import time
from typing import Any, ClassVar, TextIO

# Short, so that a bar of some length is left on a terminal of 80 columns.
SHARE = "{desc}: {percentage:.0f} %|{bar}| {remaining} left{postfix}"
COUNT = "{desc}: {n_fmt}/{total_fmt}|{bar}| {remaining} left{postfix}"


class Progress:
    """A bar on a terminal; elsewhere a line now and then.

    Parameters
    ----------
    total : int
        Steps until the end.
    label : str
        What is being done.
    stream : text stream, optional
        Where to write; by default standard error.
    seconds : float
        Off a terminal, at most one line in this time.
    percent : bool
        Show a share in place of counts, of steps that mean nothing to people.

    Attributes
    ----------
    shown : bool
        Whether anything is; not in processes beside the one that speaks for all.
    """

    shown: ClassVar[bool] = True

    def __init__(
        self,
        total: int,
        label: str,
        stream: TextIO | None = None,
        seconds: float = 15,
        percent: bool = False,
    ) -> None:
        self.total = total
        self.label = label
        self.stream = stream or sys.stderr
        self.seconds = seconds
        self.percent = percent
        self.count = 0
        self._bar: Any = None
        self._last = self._start = time.monotonic()

    def __enter__(self) -> Progress:
        if self.shown and (self.stream.isatty() or _in_notebook()):
            from tqdm import tqdm

            self._bar = tqdm(
                total=self.total,
                desc=self.label,
                file=self.stream,
                dynamic_ncols=True,
                bar_format=SHARE if self.percent else COUNT,
            )
        return self

    def step(self, text: str = "", steps: int = 1) -> None:
        """Move on by some steps; ``text`` stands behind the bar."""
        self.count += steps
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)
            self._bar.update(steps)
            return
        now = time.monotonic()
        if self.shown and now - self._last >= self.seconds:
            self._last = now
            each = (now - self._start) / max(self.count, 1)
            left = spoken(each * (self.total - self.count))
            done = f"{self.count}/{self.total}"
            if self.percent:
                done = f"{100 * self.count // self.total} %"
            self.stream.write(f"{self.label}: {done}, {left} left. {text}\n")
            self.stream.flush()

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def spoken(seconds: float) -> str:
    """Return a time in two of its units at most.

    Examples
    --------
    >>> spoken(9.6), spoken(130), spoken(7300), spoken(200_000)
    ('10 s', '2 min 10 s', '2 h 1 min', '2 d 7 h')
    """
    whole = max(0, round(seconds))
    for unit, size, below, part in (
        ("d", 86_400, "h", 3600),
        ("h", 3600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{whole} s"


def _in_notebook() -> bool:
    """Return whether a notebook shows what is written: it knows carriage returns."""
    shell = sys.modules.get("IPython")
    found = shell.get_ipython() if shell is not None else None
    return found is not None and type(found).__name__ == "ZMQInteractiveShell"
