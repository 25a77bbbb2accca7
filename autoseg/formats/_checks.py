"""What must be true of every image file that is read."""

from __future__ import annotations

from pathlib import Path

from autoseg.errors import FormatError
from autoseg.formats.header import differing
from autoseg.spec.foreign.place import is_there, lost, may_be_read, place_of
from autoseg.spec.image import Geometry


def must_exist(path: Path, folders: bool = True) -> None:
    """Raise FormatError unless a file is there; a folder is one if ``folders``."""
    if not is_there(Path(path)):
        place = place_of(Path(path))
        if link := lost(Path(path)):
            raise FormatError(f"{place}{link}. Replace the link by the file.")
        raise FormatError(f"{place} does not exist. Put it there, or correct the path.")
    if not folders and Path(path).is_dir():
        raise FormatError(
            f"{path}: It is a folder, and not a file. Put the file that lies in it "
            "into its place."
        )
    if not may_be_read(place_of(Path(path))):
        raise FormatError(
            f"{path} may not be read: permission denied. Change its permissions, or "
            "ask its owner."
        )


def must_be_exact(path: Path, packing: str) -> None:
    """Raise FormatError if a packing changed an annotation's values."""
    if packing:
        raise FormatError(
            f"{path} is packed as {packing}, which changes values, so its numbers are "
            "not those that were drawn. Save it as PNG, or as TIFF with Deflate, from "
            "where it was drawn; of a mask, round to the values that are meant first."
        )


def must_have_size(geometry: Geometry, path: Path) -> None:
    """Raise FormatError if an edge of a voxel is no positive number."""
    if not all(0 < edge < float("inf") for edge in geometry.spacing):
        raise FormatError(
            f"{path} has the spacing {geometry.spacing}, which cannot be. Correct the "
            "file's header."
        )


def must_agree(a: Geometry, path_a: Path, b: Geometry, path_b: Path) -> None:
    """Raise FormatError if two files of one case lie on different grids."""
    for what, one, other in differing(a, b):
        raise FormatError(
            f"channels of one case differ in {what}: {one} in {path_a}, {other} in "
            f"{path_b}. Resample them to one grid."
        )
