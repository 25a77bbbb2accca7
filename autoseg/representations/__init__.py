"""Plug-in folder: every file without a leading underscore is one representation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry

if TYPE_CHECKING:
    from autoseg.representations.base import Representation

REPRESENTATIONS: Registry[type[Representation]] = Registry(
    "representation", __name__, besides=("maps",)
)
