"""Plug-in folder: every file without a leading underscore is one file of points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry

if TYPE_CHECKING:
    from autoseg.pointfiles.base import PointFile

POINTFILES: Registry[type[PointFile]] = Registry(
    "point file", __name__, besides=("convention",)
)
