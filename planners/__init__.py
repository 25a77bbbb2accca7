"""Plug-in folder: every file without a leading underscore is one planner.

A planner is a pure function from a fingerprint and a budget to a plan: arithmetic
only. It reads no file, opens no image and imports no torch.
"""

from typing import Any

from autoseg.registry import Registry

PLANNERS: Registry[Any] = Registry(
    "planner", __name__, besides=("explain", "memory", "network", "setting", "stage")
)
