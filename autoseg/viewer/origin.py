"""Layers of napari as we know them: what they have, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from autoseg.spec.image import Geometry

LayerData = tuple[Any, dict[str, Any], str]
KEY = "autoseg"  # of a layer's metadata


class Layer(Protocol):
    """What is asked of a layer of napari."""

    name: str
    data: Any
    scale: Any
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Origin:
    """Where a layer is from.

    Parameters
    ----------
    images : tuple of Path
        Files of the image; empty: it was never a file.
    geometry : Geometry
        Of its voxels.
    case : str
        What the image is called.
    """

    images: tuple[Path, ...]
    geometry: Geometry
    case: str
