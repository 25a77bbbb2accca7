"""What each command took for a data set, for its report."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from autoseg.errors import AutosegError
from autoseg.workspace import Workspace

log = logging.getLogger(__name__)

RECORDED = (
    "fingerprint",
    "plan",
    "preprocess",
    "plan_and_preprocess",
    "train",
    "predict",
    "find_best",
)


@contextmanager
def recorded(name: str, arguments: argparse.Namespace) -> Iterator[None]:
    """Note time and memory of a command that ends well, in ``stages.jsonl``.

    Parameters
    ----------
    name : str
        The command.
    arguments : Namespace
        Says of which data set it is; without one, or with several, nothing is noted.
    """
    start, used = time.monotonic(), _processor_seconds()
    yield
    datasets = _datasets(arguments)
    if name not in RECORDED or len(datasets) != 1:
        return
    line: dict[str, Any] = {
        "stage": name,
        "seconds": round(time.monotonic() - start, 1),
        "processor_seconds": round(_processor_seconds() - used, 1),
        "memory": _peak_memory(),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    for key in ("configuration", "fold"):
        if isinstance(getattr(arguments, key, None), str):
            line[key] = getattr(arguments, key)
    try:
        space = Workspace.find(datasets.pop(), getattr(arguments, "root", None))
        if not space.preprocessed.is_dir():
            return
        with space.stages.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
    except (AutosegError, OSError) as error:  # a note is no reason to fail
        log.debug("%s was not noted: %s", name, error)


def _datasets(arguments: argparse.Namespace) -> set[str]:
    """Return the data sets that a command was given, by position or by ``-d``."""
    found: set[str] = set()
    for key in ("dataset", "dataset_option"):
        given = getattr(arguments, key, None)
        found |= {given} if isinstance(given, str) else set(given or ())
    return found


def _processor_seconds() -> float:
    """Return the seconds of processors that this process and its children took."""
    import os

    return sum(os.times()[:4])


def _peak_memory() -> int | None:
    """Return the most physical memory so far, in bytes; None where nobody counts."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    most = max(resource.getrusage(kind).ru_maxrss for kind in kinds)
    return int(most if sys.platform == "darwin" else 1024 * most)
