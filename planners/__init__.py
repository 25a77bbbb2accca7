"""Plug-in folder: every file without a leading underscore is one planner.

A planner is a pure function from a fingerprint and a budget to a plan: arithmetic
only. It reads no file, opens no image and imports no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry

if TYPE_CHECKING:
    from planners.base import Planner

PLANNERS: Registry[Planner] = Registry(
    "planner",
    __name__,
    besides=("beside", "explain", "grids", "memory", "network", "setting", "stage"),
)
