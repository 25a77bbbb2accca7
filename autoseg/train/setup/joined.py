"""Meet the other processes of a training."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from autoseg.errors import UsageError
from autoseg.machine import cores
from autoseg.progress import Progress
from autoseg.train.setup.ranks import ONE, Ranks, is_one_of_several

_joined: Ranks | None = None


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Meet the other processes of a training, if this one was started as one of them.

    Parameters
    ----------
    device : str
        What this process computes on.

    Returns
    -------
    context manager
        Gives `Ranks`: of those that were joined further out, if there are.
    """
    global _joined
    if _joined is not None or not is_one_of_several():
        yield _joined or ONE
        return
    if not torch.distributed.is_available():
        raise UsageError("This torch cannot let processes train together.")
    # Here, since it takes time to import and most trainings run alone.
    from autoseg.train.setup.processes import Processes

    ranks = Processes(device)
    _joined = ranks
    threads = torch.get_num_threads()
    torch.set_num_threads(max(1, cores() // ranks.near))
    try:
        with _quiet(not ranks.first):
            yield ranks
    except BaseException as error:
        ranks.leave(error)
        raise
    else:
        ranks.close()
    finally:
        torch.set_num_threads(threads)
        _joined = None


@contextmanager
def _quiet(wanted: bool) -> Iterator[None]:
    """Let only errors be said, since another process says the rest."""
    if not wanted:
        yield
        return
    everything = logging.getLogger("autoseg")
    before, Progress.shown = everything.level, False
    everything.setLevel(logging.ERROR)
    try:
        yield
    finally:
        everything.setLevel(before)
        Progress.shown = True
