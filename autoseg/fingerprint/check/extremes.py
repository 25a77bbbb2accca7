"""Sentinel values among intensities, said once for all images that have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from autoseg.errors import amount
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.problem import Problem
from autoseg.fingerprint.extremes import Extreme


def extreme_problems(facts: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield a warning for each value that is far from all others of some images.

    Parameters
    ----------
    facts : sequence of CaseFacts
        Of all cases.
    """
    groups: dict[float, list[tuple[Path, Extreme]]] = {}
    for fact in facts:
        for path, extreme in fact.extremes:
            groups.setdefault(extreme.value, []).append((path, extreme))
    for found in groups.values():
        path, extreme = max(found, key=lambda one: one[1].share)
        several = (
            f", and so in {amount(len(found) - 1, 'other file')}" if found[1:] else ""
        )
        said = str(extreme)
        yield Problem(
            "warning",
            path,
            f"{said[0].upper()}{said[1:]}{several}.",
            "If it stands for nothing, replace it by the value of air or of what is "
            "beside it: scaled by mean and standard deviation, all else is squeezed "
            "together.",
        )
