"""Plug-in folder: every file without a leading underscore is one representation."""

from typing import Any

from autoseg.registry import Registry

REPRESENTATIONS: Registry[Any] = Registry("representation", __name__, besides=("maps",))
