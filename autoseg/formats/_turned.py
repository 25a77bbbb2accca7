"""Formats that turn volumes to an orientation when reading, and back when writing.

Two of nnU-Net's readers do this; its models need what they were trained with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autoseg.errors import FormatError, PlanError
from autoseg.formats.base import Array, Format
from autoseg.formats.header import NOTES, REMARKS
from autoseg.geometry.orientation import reorient, turn_to
from autoseg.spec.image import Geometry
from autoseg.spec.json import from_json, to_json

RAS = "RAS"  # x grows to the right, y to anterior, z to superior
FILE = "geometry in the file"  # in the header of a turned geometry
UNSAID = "it does not say how its axes lie, and is turned as if it were by default"


def turned_to_ras(array: Array, geometry: Geometry) -> tuple[Array, Geometry]:
    """Return a volume turned to RAS; a geometry that knows its way back.

    Parameters
    ----------
    array : ndarray, shape (C, *S)
        As in the file. Images of two axes are not turned.
    geometry : Geometry
        As in the file.

    Returns
    -------
    array : ndarray
        A view.
    geometry : Geometry
        Of the turned array.
    """
    if geometry.dim != 3:
        return array, geometry
    turned, turned_geometry = reorient(array, replace(geometry, oriented=True), RAS)
    header = {FILE: to_json(geometry)}
    header |= {k: geometry.header[k] for k in (REMARKS, NOTES) if k in geometry.header}
    if not geometry.oriented:
        header[REMARKS] = [*header.get(REMARKS, ()), UNSAID]
    return turned, replace(turned_geometry, header=header)


def turned_back(array: Array, geometry: Geometry) -> tuple[Array, Geometry]:
    """Undo `turned_to_ras`; what was not turned by it stays.

    Parameters
    ----------
    array : ndarray, shape S or (C, *S)
        On the turned grid.
    geometry : Geometry
        Of the turned array.

    Returns
    -------
    array : ndarray
        A view.
    geometry : Geometry
        As in the file that was read.
    """
    if FILE not in geometry.header:
        return array, geometry
    try:
        original = from_json(Geometry, geometry.header[FILE], FILE)
    except PlanError as error:
        raise FormatError(f"the geometry to go back to is damaged: {error}") from None
    turn = turn_to(replace(original, oriented=True), RAS)
    return turn.undo(array), original


class TurnedFormat(Format):
    """Another format, with volumes turned to RAS.

    Attributes
    ----------
    inner : Format
        What reads and writes the files.
    """

    automatic = False
    inner: Format

    def load(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry]:
        return turned_to_ras(*self.inner.load(path, spacing, unit, channels))

    def load_labels(
        self, path: Path, spacing: Sequence[float] | None, unit: str | None
    ) -> tuple[Array, Geometry]:
        return turned_to_ras(*self.inner.load_labels(path, spacing, unit))

    def open(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry] | None:
        opened = self.inner.open(path, spacing, unit, channels)
        return None if opened is None else turned_to_ras(*opened)

    def is_picture(self, path: Path) -> bool:
        return self.inner.is_picture(path)

    def scaling(self, path: Path) -> str:
        return self.inner.scaling(path)

    def write_labels(self, path: Path, labels: Array, geometry: Geometry) -> None:
        self.inner.write_labels(path, *turned_back(labels, geometry))

    def write_image(self, path: Path, array: Array, geometry: Geometry) -> None:
        self.inner.write_image(path, *turned_back(array, geometry))
