"""Plug-in folder: every file without a leading underscore is one format.

Besides the formats: `base`, their interface; `header`, what is remembered of a file's
header; `geometry`, where voxels are without reading them; `names`, what names of files
and of segments say; `sitk`, images of SimpleITK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry

if TYPE_CHECKING:
    from autoseg.formats.base import Format

FORMATS: Registry[type[Format]] = Registry(
    "format", __name__, besides=("geometry", "header", "names", "sitk")
)
