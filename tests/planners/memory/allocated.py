"""What the CPU's allocator hands out while something runs.

torch's profiler is told of it. Of the operations it is told as well, which takes longer
than a small network's step, so it is asked to look at none.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from torch._C._profiler import RecordScope

# torch.profiler's looks for torch's compiler besides, which takes two seconds.
PROFILER = "torch.autograd.profiler"
NO_OPERATION = {RecordScope.USER_SCOPE}  # but what somebody names, and nobody does
_enable = functools.partial(torch.autograd._enable_profiler, scopes=NO_OPERATION)


def followed(work: Callable[[], Any]) -> tuple[list[int], Any]:
    """Return the bytes that are handed out, or, below 0, given back, and the result.

    Parameters
    ----------
    work : callable
        What is run.
    """
    with mock.patch(f"{PROFILER}._enable_profiler", _enable):
        with torch.autograd.profiler.profile(profile_memory=True) as found:
            result = work()
    events = [e for e in found.kineto_results.events() if e.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return [event.nbytes() for event in events], result


def peak_of(work: Callable[[], Any]) -> int:
    """Return the most bytes that are handed out at once."""
    return most(followed(work)[0])


def most(sizes: list[int]) -> int:
    """Return the largest sum that there is on the way."""
    return max(itertools.accumulate(sizes, initial=0))
