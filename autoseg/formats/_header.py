"""Remember the fields of a header, to write the same geometry to the bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autoseg.spec.image import Geometry


def with_fields(geometry: Geometry, kind: str, fields: Any) -> Geometry:
    """Return a geometry that remembers the fields of the header it came from.

    Parameters
    ----------
    geometry : Geometry
        What was understood from the header.
    kind : str
        Kind of the header.
    fields : JSON value or None
        The header's fields of geometry; None remembers nothing.

    Returns
    -------
    Geometry
        The same, and in ``header`` also the grid that the fields belong to: a geometry
        that somebody changed must not be written with the old fields.
    """
    if fields is None:
        return geometry
    header = {**geometry.header, kind: fields, "grid": _grid(geometry)}
    return replace(geometry, header=header)


def fields_of(geometry: Geometry, kind: str) -> Any:
    """Return the fields that `with_fields` put in, if they still hold; else None."""
    if geometry.header.get("grid") != _grid(geometry):
        return None
    return geometry.header.get(kind)


def _grid(geometry: Geometry) -> list[list[float]]:
    return [
        list(geometry.shape),
        list(geometry.spacing),
        list(geometry.origin),
        list(geometry.direction),
    ]
