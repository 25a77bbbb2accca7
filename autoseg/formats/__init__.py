"""Plug-in folder: every file without a leading underscore is one format."""

from typing import Any

from autoseg.registry import Registry

FORMATS: Registry[Any] = Registry("format", __name__, besides=("names",))
