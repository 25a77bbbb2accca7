"""Plug-in folder: every file without a leading underscore is one network."""

from typing import Any

from autoseg.registry import Registry

NETWORKS: Registry[Any] = Registry(
    "network", __name__, besides=("build", "onednn", "options", "packed")
)
