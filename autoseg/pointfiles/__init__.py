"""Plug-in folder: every file without a leading underscore is one file of points."""

from typing import Any

from autoseg.registry import Registry

POINTFILES: Registry[Any] = Registry("point file", __name__, besides=("convention",))
