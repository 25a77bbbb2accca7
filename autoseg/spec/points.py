"""Named points: the inner annotation of a landmark task.

Legend: L landmarks, D axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.spec.annotation import Annotation, Turning

ABSENT, PRESENT, UNKNOWN = 0, 1, 2
STATUS = ("absent", "present", "unknown")
"""Words of the numbers: looked for and not there; there; nobody has looked."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Points(Annotation):
    """Points of one case, in index space.

    Parameters
    ----------
    names : tuple of str, length L
        What each point is, all different.
    coordinates : ndarray of float64, shape (L, D)
        In voxels of the image's grid, slowest axis first. An integer is the center of a
        voxel, as in ITK: the first voxel reaches from -0.5 to 0.5. NaN where a point is
        not present.
    status : ndarray of int8, shape (L,)
        `PRESENT`; `ABSENT`, which is learnt; or `UNKNOWN`, which counts for nothing.
    details : mapping of str to ndarray, each of length L
        Of a prediction: what is known beside, such as ``score`` (0 to 1). Empty for
        what a person drew.
    shape : tuple of int, length D
        Of the grid that they lie on; empty: not known.

    Raises
    ------
    FormatError
        If lengths differ, a name occurs twice, or a present point has no coordinates.

    Examples
    --------
    >>> points = Points.of({"tip": (3.0, 4.5), "root": None}, dim=2)
    >>> points.present.tolist(), points.coordinates[0].tolist()
    ([True, False], [3.0, 4.5])
    """

    names: tuple[str, ...]
    coordinates: NDArray[np.float64]
    status: NDArray[np.int8]
    details: Mapping[str, NDArray[Any]] = field(default_factory=lambda: _NOTHING)
    shape: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        status = np.asarray(self.status, dtype=np.int8)
        coordinates = np.array(self.coordinates, dtype=np.float64)
        count = len(self.names)
        lengths = [len(coordinates), len(status), *map(len, self.details.values())]
        if coordinates.ndim != 2 or any(length != count for length in lengths):
            raise FormatError(
                f"{count} names go with coordinates of shape {coordinates.shape}, "
                f"{len(status)} status and details of length {lengths[2:]}."
            )
        if len(set(self.names)) != count:
            twice = sorted({n for n in self.names if self.names.count(n) > 1})
            raise FormatError(f"landmark {', '.join(twice)} occurs more than once.")
        lost = (status == PRESENT) & ~np.isfinite(coordinates).all(1)
        if lost.any():
            which = ", ".join(n for n, x in zip(self.names, lost, strict=True) if x)
            raise FormatError(
                f"landmark {which} is present without finite coordinates; give them, "
                'or say "absent" or "unknown".'
            )
        coordinates[status != PRESENT] = np.nan
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "coordinates", coordinates)
        object.__setattr__(self, "status", status)

    @classmethod
    def of(
        cls,
        points: Mapping[str, Sequence[float] | None],
        dim: int,
        missing: int = ABSENT,
    ) -> Points:
        """Return points by name; one without coordinates gets ``missing`` as status."""
        coordinates = np.full((len(points), dim), np.nan)
        status = np.full(len(points), missing, dtype=np.int8)
        for i, place in enumerate(points.values()):
            if place is not None:
                coordinates[i], status[i] = place, PRESENT
        return cls(tuple(points), coordinates, status)

    @property
    def dim(self) -> int:
        """Number of axes, D."""
        result: int = self.coordinates.shape[1]
        return result

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which points have a place, shape (L,)."""
        result: NDArray[np.bool_] = self.status == PRESENT
        return result

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which points are present or absent, shape (L,)."""
        result: NDArray[np.bool_] = self.status != UNKNOWN
        return result

    def ordered(self, names: Sequence[str], missing: int = UNKNOWN) -> Points:
        """Return the points of these names, in this order.

        Those that are not there get the status ``missing``, and NaN for details.
        """
        where = {name: i for i, name in enumerate(self.names)}
        index = np.array([where.get(name, -1) for name in names], dtype=int)
        there = index >= 0
        coordinates = np.full((len(names), self.dim), np.nan)
        status = np.full(len(names), missing, dtype=np.int8)
        coordinates[there] = self.coordinates[index[there]]
        status[there] = self.status[index[there]]
        details = {}
        for key, values in self.details.items():
            kept = np.full((len(names), *values.shape[1:]), np.nan)
            kept[there] = values[index[there]]
            details[key] = kept
        return Points(tuple(names), coordinates, status, details, self.shape)

    def moved(self, coordinates: NDArray[Any], shape: Sequence[int] = ()) -> Points:
        """Return the same points at other coordinates (L, D), on a grid of a shape."""
        return Points(self.names, coordinates, self.status, self.details, tuple(shape))

    @property
    def nbytes(self) -> int:
        return self.coordinates.nbytes + self.status.nbytes

    @property
    def empty(self) -> bool:
        return not self.present.any()

    def turned(self, turn: Turning) -> Points:
        places = turn.apply_points(self.coordinates, self.shape)
        return self.moved(places, turn.shape_of(self.shape))

    def transposed(self, axes: Sequence[int]) -> Points:
        shape = [self.shape[axis] for axis in axes]
        return self.moved(self.coordinates[:, axes], shape)

    def cropped(self, box: Sequence[slice]) -> Points:
        start = np.array([part.start for part in box])
        return self.moved(
            self.coordinates - start, [part.stop - part.start for part in box]
        )

    def resized(self, shape: Sequence[int], resample: Callable[[Any], Any]) -> Points:
        return self.moved(resized(self.coordinates, self.shape, shape), shape)

    def counts(self) -> dict[Any, int]:
        return {
            name: int(there)
            for name, there in zip(self.names, self.inside, strict=True)
        }

    def to_stored(self) -> dict[str, Any]:
        places = [
            place.tolist() if there else None
            for place, there in zip(self.coordinates, self.present, strict=True)
        ]
        return {
            "points": {
                "names": self.names,
                "places": places,
                "status": self.status.tolist(),
            }
        }

    @classmethod
    def from_stored(cls, raw: Mapping[str, Any], shape: Sequence[int]) -> Points:
        """Return what `to_stored` gave as ``points``, on a grid of a shape."""
        rows = [[np.nan] * len(shape) if c is None else c for c in raw["places"]]
        status = np.array(raw["status"])
        return cls(tuple(raw["names"]), np.array(rows), status, {}, tuple(shape))

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which points are present and in a voxel of the grid, shape (L,)."""
        with np.errstate(invalid="ignore"):
            low = self.coordinates >= -0.5
            high = self.coordinates < np.asarray(self.shape or np.inf) - 0.5
        found: NDArray[np.bool_] = self.present & (low & high).all(1)
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the coordinates, shape (L, D)."""
        return np.array(self.coordinates, dtype=dtype)


def resized(
    coordinates: NDArray[Any], old: Sequence[int], new: Sequence[int]
) -> NDArray[np.float64]:
    """Return coordinates after an array was resampled to another shape.

    Parameters
    ----------
    coordinates : ndarray, shape (L, D)
        In voxels of the old grid.
    old, new : sequence of int, length D
        Shapes of the two grids, which cover the same box: voxels are boxes, and the
        corners of the first and last one stay where they are.

    Returns
    -------
    ndarray of float64, shape (L, D)
        In voxels of the new grid.

    Examples
    --------
    >>> resized(np.array([[0.5]]), (4,), (2,)).tolist()
    [[0.0]]
    """
    scale = np.asarray(new, dtype=np.float64) / np.asarray(old, dtype=np.float64)
    moved: NDArray[np.float64] = (np.asarray(coordinates) + 0.5) * scale - 0.5
    return moved
