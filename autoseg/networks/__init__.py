"""Plug-in folder: every file without a leading underscore is one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry

if TYPE_CHECKING:
    from autoseg.blueprints.declaration import Declaration
    from autoseg.networks.base import Network

NETWORKS: Registry[type[Declaration] | type[Network]] = Registry(
    "network",
    __name__,
    besides=("build", "measured", "onednn", "options", "packed"),
)
