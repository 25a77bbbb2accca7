"""The report's page beside other commands: written anew while they run, and at the end.

It is nobody's reason to lose a training: what goes wrong with it is said, and no more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoseg.errors import AutosegError

log = logging.getLogger(__name__)

SECONDS = 60.0  # from one page to the next
SHARE = 0.03  # of the time, at most, is spent on it


@contextmanager
def live_page(dataset: str, root: Path | None, wanted: bool = True) -> Iterator[None]:
    """Write the page of a data set again and again while something runs; say where.

    Parameters
    ----------
    dataset : str
        As it was given to the command.
    root : Path or None
        ROOT.
    wanted : bool
        Otherwise nothing is done.
    """
    if not wanted:
        yield
        return
    over = threading.Event()

    def write() -> None:
        pause, told = SECONDS, False
        while not over.wait(pause):
            start = time.monotonic()
            page = write_page(dataset, root, pictures=False)
            if page is None:
                return
            if not told:
                log.info("Report so far, written anew while it trains: %s", page)
            told = True
            pause = max(SECONDS, (time.monotonic() - start) / SHARE)

    writer = threading.Thread(target=write, name="report", daemon=True)
    writer.start()
    try:
        yield
    finally:
        over.set()
        writer.join()


@contextmanager
def beside(dataset: str, root: Path | None = None, **_: Any) -> Iterator[None]:
    """Write the page while Python calls `autoseg.train`, and once more in the end.

    Parameters
    ----------
    dataset, root
        As they were given; see `live_page`. What else was given does not matter.
    """
    from autoseg.train.setup.ranks import speaks

    with live_page(dataset, root, speaks()):
        yield
    if speaks() and (page := write_page(dataset, root)) is not None:
        log.info("Report: %s", page)


def write_page(
    dataset: str, root: Path | None, *, pictures: bool = True
) -> Path | None:
    """Write the page of a data set; None, with a word, where that does not work.

    Parameters
    ----------
    dataset, root
        See `live_page`.
    pictures : bool
        Show cases, too: for that their images are read.

    Returns
    -------
    Path or None
        The page.
    """
    from autoseg.report.stage import report

    level = log.info if pictures else log.debug
    try:
        return report(dataset, root, pictures=pictures)
    except (AutosegError, OSError) as error:
        level("The page was not written: %s", error)
    except Exception:
        level("The page was not written.", exc_info=True)
    return None


def tell_page(dataset: str, root: Path | None) -> Path | None:
    """Write the page, say where it is, and return it; None if it was not written."""
    page = write_page(dataset, root)
    if page is not None:
        print(f"Report: {page}")
    return page
