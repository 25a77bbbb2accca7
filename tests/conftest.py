"""Fixtures that more than one test folder uses."""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Tests run side by side: torch's threads must neither multiply nor spin.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Some environments keep no bytecode; every process of a test would compile all again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# A shell without a terminal starts what goes on in the background with Ctrl-C ignored,
# and a request that is ignored stays so: tests of Ctrl-C would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# A developer's own folder stays out of the tests.
os.environ.pop("AUTOSEG_ROOT", None)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data sets; tests that need it skip without it."""
    folder = os.environ.get("AUTOSEG_TEST_DATA")
    if not folder or not Path(folder).is_dir():
        pytest.skip("real data sets are not here; AUTOSEG_TEST_DATA names their folder")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def _no_picture_of_progress() -> Iterator[None]:
    """Drawing takes ten times as long as a toy training; tests/figures and e2e draw."""
    # They import torch, which the process that hands out tests to others never needs.
    from autoseg.report import live
    from autoseg.train.loop import logbook

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logbook, "plot_progress", lambda log, path: path.touch())
        # Nor is a page written after each toy training; tests/report/test_live.py does.
        # What is put there keeps the name and the docstring, which a contract reads.
        nothing = functools.wraps(live.write_page)(lambda *args, **options: None)
        patch.setattr(live, "write_page", nothing)
        yield
