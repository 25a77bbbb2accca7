"""What the numbers of a file of points mean: space, frame, order, first voxel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import DatasetError, FormatError
from autoseg.formats.header import own_unit
from autoseg.spec.foreign.units import factor_between, unit_of
from autoseg.spec.image import Geometry

Array = NDArray[np.float64]
FIRST = {"center": 0.0, "corner": 0.5, "one": 1.0}


@dataclass(frozen=True, kw_only=True)
class Convention:
    """How coordinates are written down.

    Parameters
    ----------
    space : str
        ``"index"``, in voxels, or ``"physical"``, in the unit of the image's spacing.
    frame : str
        Of physical coordinates: ``"LPS"``, where x goes to the left, y to the back and
        z to the head, as in ITK and DICOM; or ``"RAS"``, as in NIfTI.
    order : str
        ``"xyz"``, or ``"zyx"`` for the slowest axis first.
    first : float
        Index of the first voxel's center: 0 as in ITK, 0.5 where numbers count from the
        image's corner, 1 where they count from one.
    unit : str
        Of physical coordinates, a word that `autoseg.spec.foreign.units.unit_of` knows;
        empty: that of the image's spacing.
    """

    space: str = "index"
    frame: str = "LPS"
    order: str = "xyz"
    first: float = 0.0
    unit: str = ""

    def changed(self, raw: Mapping[str, Any]) -> Convention:
        """Return what ``coordinates`` of a dataset.json makes of it.

        Parameters
        ----------
        raw : mapping
            ``space``, ``frame``, ``index_order`` and ``origin``, each if given.

        Returns
        -------
        Convention
            With these.

        Raises
        ------
        DatasetError
            If a key or value is none that there is.
        """
        choices: dict[str, tuple[Any, ...]] = {
            "space": ("index", "physical"),
            "frame": ("LPS", "RAS", None),
            "index_order": ("xyz", "zyx"),
            "origin": tuple(FIRST),
        }
        if not isinstance(raw, Mapping):
            raise DatasetError(f"`coordinates` is {raw!r}; it must be an object.")
        for key, value in raw.items():
            if key not in choices or value not in choices[key]:
                known = choices.get(key, tuple(choices))
                raise DatasetError(
                    f"`coordinates` has {key!r}: {value!r}; there are "
                    f"{', '.join(map(str, known))}."
                )
        changes: dict[str, Any] = {
            "space": raw.get("space"),
            "frame": raw.get("frame"),
            "order": raw.get("index_order"),
            "first": FIRST.get(raw.get("origin", ""), None),
        }
        return replace(self, **{k: v for k, v in changes.items() if v is not None})

    def to_index(self, coordinates: Array, geometry: Geometry | None) -> Array:
        """Return index coordinates, slowest axis first, an integer at a voxel's center.

        Parameters
        ----------
        coordinates : ndarray of float64, shape (L, N)
            As in the file; of N = 3 numbers the third is left out for D = 2.
        geometry : Geometry or None
            Of the image; without it, only index coordinates can be read.

        Returns
        -------
        ndarray of float64, shape (L, D)
            NaN stays NaN.

        Raises
        ------
        FormatError
            If physical coordinates come without a geometry, or axes are missing.
        """
        places = np.asarray(coordinates, dtype=np.float64)
        if self.order == "zyx":
            places = places[:, ::-1]
        if geometry is not None:
            if places.shape[1] < geometry.dim:
                raise FormatError(
                    f"its points have {places.shape[1]} coordinates, the image has "
                    f"{geometry.dim} axes."
                )
            places = places[:, : geometry.dim]
        if self.space == "index":
            return (places - self.first)[:, ::-1]
        if geometry is None:
            raise FormatError(
                "its points are in physical coordinates; without the image, nobody "
                "knows which voxels they are in."
            )
        matrix, origin = _affine(geometry)
        places = _turned(places, self.frame) * self._factor(geometry)
        index = np.linalg.solve(matrix, (places - origin).T).T
        return np.asarray(index[:, ::-1], dtype=np.float64)

    def from_index(self, coordinates: Array, geometry: Geometry | None) -> Array:
        """Return coordinates as they belong in a file; undoes `to_index`."""
        places = np.asarray(coordinates, dtype=np.float64)[:, ::-1]
        if self.space == "index":
            places = places + self.first
        elif geometry is None:
            raise FormatError("physical coordinates need the image's geometry.")
        else:
            matrix, origin = _affine(geometry)
            places = _turned(places @ matrix.T + origin, self.frame)
            places = places / self._factor(geometry)
        return places[:, ::-1] if self.order == "zyx" else places

    def _factor(self, geometry: Geometry) -> float:
        """Return how many of the geometry's unit one of the file's is.

        What does not say its unit is in that of the image's file, also where the data
        set counts in another.
        """
        unit = unit_of(self.unit or own_unit(geometry))
        between = factor_between(unit.name, geometry.unit) if unit.has_size else None
        return 1.0 if between is None else unit.factor * between


def _affine(geometry: Geometry) -> tuple[Array, Array]:
    """Return matrix and origin from index (x, y, z) to ITK's physical coordinates."""
    dim = geometry.dim
    direction = np.reshape(geometry.direction, (dim, dim))
    spacing = np.asarray(geometry.spacing, dtype=np.float64)[::-1]
    return direction * spacing, np.asarray(geometry.origin, dtype=np.float64)


def _turned(places: Array, frame: str) -> Array:
    """Return coordinates of LPS in a frame, or of the frame in LPS: the same signs."""
    if frame == "LPS":
        return places
    signs = np.ones(places.shape[1])
    signs[:2] = -1
    return places * signs
