"""Where the suite's processor time goes, by file: ``pytest -n 2 -p tests.seconds``.

Processor time of the test and of the processes that it started, so that a busy machine
does not count. What is made once for several tests counts for the first of them.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

FILES = 25  # listed

_by_file: Counter[str] = Counter()
_last = 0.0


def _spent() -> float:
    spent = os.times()
    forked = sys.modules.get("tests.forked")
    others = 0.0 if forked is None else forked.spent()
    return others + sum(spent[:4])


def pytest_runtest_logstart() -> None:
    global _last
    _last = _spent()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[Any]:
    """Write into the report of each phase what was spent since the one before."""
    global _last
    now = _spent()
    report = yield
    report.user_properties.append(("processor seconds", now - _last))
    _last = now
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    seconds = dict(report.user_properties).get("processor seconds", 0.0)
    _by_file[report.nodeid.partition("::")[0]] += float(seconds)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    total = sum(_by_file.values())
    terminalreporter.section(f"{total:.0f} processor seconds, without collecting")
    for file, seconds in _by_file.most_common(FILES):
        terminalreporter.line(f"{seconds:8.1f} s  {file}")
