"""Plug-in folder: every file without a leading underscore is one task."""

from typing import Any

from autoseg.registry import Registry

TASKS: Registry[Any] = Registry("task", __name__, besides=("parameter_search",))
