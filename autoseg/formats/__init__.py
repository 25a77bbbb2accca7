"""Plug-in folder: every file without a leading underscore is one format.

Besides the formats: `base`, their interface; `header`, what is remembered of a file's
header; `geometry`, where voxels are without reading them; `names`, what
names of files say; `sitk`, images of SimpleITK.
"""

from typing import Any

from autoseg.registry import Registry

FORMATS: Registry[Any] = Registry(
    "format", __name__, besides=("geometry", "header", "names", "sitk")
)
