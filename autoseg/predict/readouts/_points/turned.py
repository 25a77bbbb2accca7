"""Copies of an image that are turned or scaled a little, each for an opinion more.

A network looks at each copy as at an image, and what it finds goes back to where it is
in the image itself. Copies are made window by window, as they are looked at: none is
ever there as a whole.

Letters: C channels, L landmarks, D axes, S spatial shape.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.points import Points

Array = NDArray[Any]

ANGLE, FACTOR = math.radians(6), 1.06  # well within what training shows a network


@dataclass(frozen=True)
class Turned:
    """An image about its middle, turned and enlarged; cut like the array that it is of.

    Parameters
    ----------
    array : ndarray of float32, shape (C, *S)
        The image on the network's grid; may lie in a file.
    matrix : ndarray of float64, shape (D, D)
        From steps in the copy to steps in the image, in voxels.
    """

    array: Array
    matrix: NDArray[np.float64]

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the copy: that of the array."""
        return tuple(self.array.shape)

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, places: tuple[slice, ...]) -> Array:
        """Return a box of the copy, (C, *box); 0 where the image is not."""
        from scipy.ndimage import affine_transform

        sizes = self.shape[1:]
        inside = [place.indices(n) for place, n in zip(places[1:], sizes, strict=True)]
        first = np.array([low for low, _, _ in inside], float)
        edges = tuple(high - low for low, high, _ in inside)
        corners = list(itertools.product(*((low, high - 1) for low, high, _ in inside)))
        seen = self.back(np.array(corners, float))
        low = np.clip(np.floor(seen.min(0)).astype(int), 0, sizes)
        high = np.clip(np.ceil(seen.max(0)).astype(int) + 1, low, sizes)
        made = np.zeros((len(self), *edges), np.float32)
        if min(edges) == 0 or (low >= high).any():
            return made
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        part = np.asarray(self.array[(slice(None), *box)])
        offset = self.back(first[None])[0] - low
        for channel, result in zip(part, made, strict=True):
            affine_transform(
                channel, self.matrix, offset, output=result, order=1, mode="constant"
            )
        return made

    @property
    def _middle(self) -> NDArray[np.float64]:
        return (np.array(self.shape[1:], float) - 1) / 2

    def back(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where places (L, D) of the copy are in the image."""
        middle = self._middle
        moved: NDArray[np.float64] = (places - middle) @ self.matrix.T + middle
        return moved

    def there(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where places (L, D) of the image are in the copy."""
        middle = self._middle
        moved: NDArray[np.float64] = (places - middle) @ np.linalg.inv(self.matrix).T
        return moved + middle

    def restore(self, points: Points) -> Points:
        """Return points that were found in the copy, in the image."""
        places = self.back(points.details["peak"])
        covariance = self.matrix @ points.details["covariance"] @ self.matrix.T
        details = {**points.details, "peak": places, "covariance": covariance}
        return replace(points, coordinates=places, details=details)


def turned_copies(
    array: Array, spacing: Sequence[float], copies: int
) -> Iterator[Turned]:
    """Yield copies of an image beside itself.

    Parameters
    ----------
    array : ndarray of float32, shape (C, *S)
        The image on the network's grid.
    spacing : sequence of float, length D
        Edge of a voxel: angles stay right angles where voxels are no cubes.
    copies : int
        How many there are to be, the image itself counted.

    Yields
    ------
    Turned
        Two are turned, two scaled, and so on, by the same to both sides.
    """
    edges = np.asarray(spacing, float)
    planes = list(itertools.combinations(range(len(edges)), 2))[::-1]
    for number in range(copies - 1):
        pair, other = divmod(number, 2)
        rounds, scaled = divmod(pair, 2)
        side = -1 if other else 1
        matrix = np.eye(len(edges))
        if scaled:
            matrix /= (FACTOR if rounds == 0 else FACTOR**2) ** side
        else:
            one, two = planes[rounds % len(planes)]
            angle = side * ANGLE * (1 + rounds // len(planes))
            matrix[[one, two], [one, two]] = math.cos(angle)
            matrix[one, two], matrix[two, one] = -math.sin(angle), math.sin(angle)
        yield Turned(array, matrix * edges / edges[:, None])
