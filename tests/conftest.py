"""Fixtures that more than one test folder uses."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import undrawn

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
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # under nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
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
def _nothing_is_drawn() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        undrawn.leave_out(patch)
        yield
