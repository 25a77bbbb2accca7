"""Plug-in folder: every file without a leading underscore is one loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry

if TYPE_CHECKING:
    from autoseg.losses.base import Loss

LOSSES: Registry[type[Loss]] = Registry(
    "loss",
    __name__,
    besides=("points",),
    renamed={"weighted_mse": "balanced_mse"},  # its weights are no fixed ones
)
