"""Plug-in folder: every public file is one kind of annotation, read out of outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry

if TYPE_CHECKING:
    from autoseg.predict.readouts.base import Readout

READOUTS: Registry[type[Readout]] = Registry(
    "readout",
    __name__,
    besides=(
        "consensus",
        "ensemble",
        "kept",
        "lookup",
        "outputs",
        "probabilities",
        "sight",
        "types",
        "uncertainty",
    ),
)
