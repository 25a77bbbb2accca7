"""Points as they are kept beside a preprocessed image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.spec.points import Points


def to_json(points: Points) -> dict[str, Any]:
    """Return points as JSON values."""
    return {
        "names": points.names,
        "places": [
            place.tolist() if there else None
            for place, there in zip(points.coordinates, points.present, strict=True)
        ],
        "status": points.status.tolist(),
    }


def from_json(raw: Mapping[str, Any], shape: Sequence[int]) -> Points:
    """Return the points that `to_json` gave, on a grid of a shape."""
    rows = [[np.nan] * len(shape) if c is None else c for c in raw["places"]]
    status = np.array(raw["status"])
    return Points(tuple(raw["names"]), np.array(rows), status, {}, tuple(shape))
