"""Intensities that a later stage refuses, or of which little is left in float32."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.problem import Problem
from autoseg.fingerprint.extremes import ends_of
from autoseg.normalizers import NORMALIZERS
from autoseg.spec.dataset import Dataset
from autoseg.spec.foreign.channels import misnamed, otherwise

STEPS = 256  # that an image has at least: fewer is less than 8 bits


def value_problems(array: Any, path: Path, names: Sequence[str]) -> Iterator[Problem]:
    """Yield what is wrong with finite values.

    Parameters
    ----------
    array : ndarray or Windowed, shape (C, *S)
        An image as it is read.
    path : Path
        Its file.
    names : sequence of str
        Of its channels, which may choose a normalization; empty if it is not known
        which channels these are.
    """
    for number, channel in enumerate(array):
        low, high = ends_of(channel)
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
