"""Plug-in folder: every file without a leading underscore is one loss."""

from typing import Any

from autoseg.registry import Registry

LOSSES: Registry[Any] = Registry("loss", __name__, besides=("points",))
