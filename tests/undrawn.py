"""Trainings without their pictures and pages, which take ten times as long as a toy's.

tests/figures and tests/report draw them, and tests/e2e in processes of its own.
"""

from __future__ import annotations

import functools

import pytest


def leave_out(patch: pytest.MonkeyPatch) -> None:
    """Draw no progress and write no page in this process."""
    # They import torch, which the process that hands out tests to others never needs.
    from autoseg.report import live
    from autoseg.train.loop import logbook

    patch.setattr(logbook, "plot_progress", lambda log, path: path.touch())
    # What is put there keeps the name and the docstring, which a contract reads.
    nothing = functools.wraps(live.write_page)(lambda *args, **options: None)
    patch.setattr(live, "write_page", nothing)
