"""What pytest does in all folders of the repository."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.doctest import DoctestModule


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep what is imported and collected out of the search for garbage.

    All of it stays to the end, and there is so much of it that each look takes long.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()
        # Tests make many objects and few circles: by default four of a hundred
        # seconds are spent on looking for them.
        gc.set_threshold(20_000, 20, 10)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Any:
    """Look for examples where there are some: of 1,300 files, in a hundred.

    To look costs more than to read: each docstring of a module is parsed, in each
    process of a run.
    """
    collectors = yield
    if any(isinstance(one, DoctestModule) for one in collectors):
        if b">>>" not in file_path.read_bytes():
            return [c for c in collectors if not isinstance(c, DoctestModule)]
    return collectors
