"""Plug-in folder: every file without a leading underscore reads one file of objects."""

from typing import Any

from autoseg.registry import Registry

INSTANCEFILES: Registry[Any] = Registry("instance file", __name__)
