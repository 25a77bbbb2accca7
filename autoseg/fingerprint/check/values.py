"""Intensities that a later stage refuses, or that stand for nothing or something else.

Of float32 little is left for some; sentinel values are said once for all images; and
images of one data set may be in other units.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from autoseg.errors import amount
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.problem import Problem
from autoseg.fingerprint.extremes import Extreme
from autoseg.normalizers import NORMALIZERS
from autoseg.spec.dataset import Dataset
from autoseg.spec.foreign.channels import misnamed, otherwise

CT = "ct"  # the normalization of a channel so called
HALF = 32_768.0  # from here on, 16 bits have numbers below 0, if they have a sign
AIR = -200.0  # Hounsfield units: what reaches down to it has air or lung in it
STEPS = 256  # that an image has at least: fewer is less than 8 bits


def value_problems(
    ends: Sequence[tuple[float, float]], path: Path, names: Sequence[str]
) -> Iterator[Problem]:
    """Yield what is wrong with finite values.

    Parameters
    ----------
    ends : sequence of (float, float)
        The smallest and the largest value of each channel, as they are read.
    path : Path
        Its file.
    names : sequence of str
        Of its channels, which may choose a normalization; empty if it is not known
        which channels these are.
    """
    for number, (low, high) in enumerate(ends):
        name = names[number] if number < len(names) else ""
        limits = _limits(name)
        if limits is not None and (low < limits[0] or high > limits[1]):
            yield Problem(
                "error",
                path,
                f"Its values go from {low:g} to {high:g}, and the normalization {name} "
                f"is of {limits[0]:g} to {limits[1]:g}.",
                "Call the channel otherwise in dataset.json, such as red, green, blue, "
                "or store 8-bit images.",
            )
        largest = np.float32(max(abs(low), abs(high)))
        step = float(largest - np.nextafter(largest, np.float32(0)))
        if low < high < low + STEPS * step:
            yield Problem(
                "warning",
                path,
                f"Its values go from {low:.10g} to {high:.10g}: images are computed in "
                f"float32, which knows {round((high - low) / step) + 1} numbers "
                "between these.",
                "Subtract one constant from all images, so that they begin near 0.",
            )


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


def scale_problems(dataset: Dataset, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield images of a CT that are in no Hounsfield units, where others are.

    Water is 0 and air -1000; CT is normalized by numbers of all images together, so one
    that was stored with 1024 added, or as gray values, is learned as something else.
    """
    for number, name in enumerate(dataset.channel_names):
        if name.casefold() != CT:
            continue
        known = [(f, *f.ends[number]) for f in facts if len(f.ends) > number]
        yield from _wrapped(known, number)
        lows = [(fact, low) for fact, low, _ in known]
        lowest = min((low for _, low in lows), default=0.0)
        if lowest > AIR:
            continue
        for fact, low in lows:
            if low >= 0:
                yield Problem(
                    "warning",
                    _file_of(fact, number),
                    "No value of this CT is below 0, and others go down to "
                    f"{lowest:g}: it seems to be in no Hounsfield units (1000 or 1024 "
                    "was added, or it was scaled to gray values).",
                    "Convert it: all CTs are normalized by the same numbers.",
                )


def _wrapped(
    known: Sequence[tuple[CaseFacts, float, float]], number: int
) -> Iterator[Problem]:
    """Yield CTs whose negative values seem to be stored without a sign."""
    for fact, low, high in known:
        if low >= 0 and HALF <= high < 2 * HALF:
            yield Problem(
                "warning",
                _file_of(fact, number),
                f"The values of this CT go up to {high:g}: those below 0 seem to be "
                "stored in 16 bits without a sign, in which -1000 is 64536.",
                "Store them with a sign (int16).",
            )


def _file_of(fact: CaseFacts, number: int) -> Path:
    """Return the file that a channel is in."""
    return fact.case.images[number if number < len(fact.case.images) else 0]


def channel_problems(dataset: Dataset, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield images whose files call their channels as others do, in another order.

    Where dataset.json has these names, each file's own order is told of by itself.
    """
    odd = otherwise([fact.called for fact in facts])
    for number, usual in odd.items():
        fact = facts[number]
        if misnamed(fact.called, dataset.channel_names) or misnamed(
            usual, dataset.channel_names
        ):
            continue
        yield Problem(
            "warning",
            fact.case.images[0],
            f"It calls its channels {', '.join(fact.called)}, and most images call "
            f"theirs {', '.join(usual)}: channels are taken in the order of the file.",
            "Write it with its channels in the order of the others.",
        )


def _limits(name: str) -> tuple[float, float] | None:
    """Return between which values the normalization that a name chooses works."""
    known = name.casefold()
    if known not in NORMALIZERS.names():
        return None
    limits: tuple[float, float] | None = getattr(NORMALIZERS[known], "limits", None)
    return limits
