"""Plug-in folder: every file without a leading underscore is one command."""

from typing import Any

from autoseg.registry import Registry

COMMANDS: Registry[Any] = Registry(
    "command", __name__, besides=("main",), of_modules=True
)
