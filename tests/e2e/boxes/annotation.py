"""Boxes: a kind of annotation that autoseg does not know.

Legend: N boxes, D axes.
"""

import json
from dataclasses import dataclass

import numpy as np

from autoseg.spec.annotation import Annotation
from autoseg.spec.image import Geometry
from autoseg.spec.json import write_text
from autoseg.spec.points import resized

ENDING = ".boxes"


@dataclass(frozen=True, eq=False)
class Boxes(Annotation):
    """Corners (N, 2, D) in voxels: the first one of a box and the first beyond it."""

    corners: np.ndarray
    shape: tuple = ()

    @property
    def nbytes(self):
        return self.corners.nbytes

    @property
    def empty(self):
        return not len(self.corners)

    def _at(self, places, shape):
        places = np.asarray(places).reshape(-1, 2, len(shape))
        return Boxes(np.sort(places, axis=1), tuple(shape))

    def turned(self, turn):
        # Corners lie between the voxels, half a voxel before their middles.
        flat = self.corners.reshape(-1, len(self.shape)) - 0.5
        moved = turn.apply_points(flat, self.shape) + 0.5
        return self._at(moved, turn.shape_of(self.shape))

    def transposed(self, axes):
        return self._at(self.corners[..., list(axes)], [self.shape[a] for a in axes])

    def cropped(self, box):
        start = np.array([part.start for part in box])
        return self._at(self.corners - start, [p.stop - p.start for p in box])

    def resized(self, shape, resample):
        flat = self.corners.reshape(-1, len(self.shape)) - 0.5
        return self._at(resized(flat, self.shape, shape) + 0.5, shape)

    def region(self, ignored=None):
        return self.painted() > 0

    def painted(self):
        """Return a map of the boxes, numbered from 1."""
        found = np.zeros(self.shape, np.int32)
        for number, (low, high) in enumerate(np.rint(self.corners).astype(int), 1):
            found[tuple(map(slice, np.maximum(low, 0), high))] = number
        return found


def read(path):
    """Return the boxes of a file, and the grid they lie on."""
    said = json.loads(path.read_text())
    shape = tuple(said["shape"])
    corners = np.array(said["boxes"], float).reshape(-1, 2, len(shape))
    geometry = Geometry(shape=shape, spacing=tuple(said["spacing"]), unit=said["unit"])
    return Boxes(corners, shape), geometry


def write(path, boxes, geometry):
    """Write boxes and their grid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {
        "shape": geometry.shape,
        "spacing": geometry.spacing,
        "unit": geometry.unit,
        "boxes": boxes.corners.tolist(),
    }
    write_text(path, json.dumps(said))
