"""Label maps with a small cube for each landmark, as nnLandmark wants them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from autoseg.dicom.headers import is_structure_set
from autoseg.errors import FormatError
from autoseg.formats.base import find_format, known_endings
from autoseg.pointfiles import POINTFILES
from autoseg.pointfiles.base import Entry, PointFile
from autoseg.pointfiles.convention import Convention


@POINTFILES.register
class CubeMap(PointFile):
    """Label k is the landmark k, counted from 1; a point is the center of its voxels.

    Any label map that a format reads. A label that is not there is a missing point.
    Points are exact to what the cube was: whole voxels mostly.
    """

    endings: ClassVar[tuple[str, ...]] = known_endings()
    is_map: ClassVar[bool] = True

    def claims(self, path: Path) -> bool:
        return not is_structure_set(path)

    def parse(self, path: Path, count: int | None = None) -> list[Entry]:
        return [self.of_map(find_format(path).read_labels(path)[0])]

    def of_map(self, labels: NDArray[Any]) -> Entry:
        from scipy.ndimage import center_of_mass

        if not np.issubdtype(labels.dtype, np.integer):
            raise FormatError(f"it holds {labels.dtype}, and no labels.")
        values = [int(value) for value in np.unique(labels) if value > 0]
        centers = center_of_mass(np.ones_like(labels), labels, values)
        points: dict[str, Any] = {
            str(value): ([float(c) for c in center[::-1]], None)
            for value, center in zip(values, centers, strict=True)
        }
        return Entry(case=None, points=points, stated=Convention())
