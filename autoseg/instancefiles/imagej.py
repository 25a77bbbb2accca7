"""A zip file of regions that ImageJ's ROI Manager opens.

Needs the package ``roifile`` (``pip install autoseg[roi]``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np

from autoseg.atomic import atomically
from autoseg.errors import UsageError
from autoseg.instancefiles.measure import Measured
from autoseg.instancefiles.outline import Ring
from autoseg.instancefiles.planes import planes_of
from autoseg.spec.instances import Instances

MOST_GROUPS = 255  # a byte of the file
MOVE, LINE, CLOSE = 0, 1, 4  # segments of a path: java.awt.geom.PathIterator


def write_rois(
    path: Path, instances: Instances, measured: Measured, *, grouped: bool = False
) -> None:
    """Write a region for each piece of each instance; in 3-D for each of its slices.

    It is a polygon, or with holes a composite of paths. Pixels that share a corner are
    one piece. A region is called by the instance's id, with the slice, and with a
    number if there are several pieces.

    Parameters
    ----------
    path : Path
        The zip file, written atomically.
    instances : Instances
        The map, shape (Y, X) or (Z, Y, X).
    measured : Measured
        Of it.
    grouped : bool
        The number of its class is each region's group, if it is 255 or less.

    Raises
    ------
    UsageError
        If ``roifile`` is not installed.
    """
    check_rois()
    volume = instances.labels.ndim == 3
    with atomically(path) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as file:
        for plane in planes_of(instances, measured, corners=True):
            for piece, rings in enumerate(plane.pieces, start=1):
                name = str(int(measured.ids[plane.number]))
                name += f"-z{plane.z + 1}" if volume else ""
                name += f"-{piece}" if len(plane.pieces) > 1 else ""
                roi = _region(rings, name)
                kind = int(measured.classes[plane.number])
                roi.group = kind if grouped and kind <= MOST_GROUPS else 0
                if volume:
                    roi.position = roi.z_position = plane.z + 1
                file.writestr(f"{name}.roi", roi.tobytes())


def _region(rings: Sequence[Ring], name: str) -> Any:
    """Return a polygon, or with several rings a composite: its holes are outside."""
    import roifile

    roi = roifile.ImagejRoi.frompoints(rings[0], name=name)
    roi.roitype = roifile.ROI_TYPE.POLYGON
    if len(rings) == 1:
        return roi
    path: list[float] = []
    for ring in rings:
        for number, (x, y) in enumerate(ring):
            path += [LINE if number else MOVE, x, y]
        path.append(CLOSE)
    roi.roitype = roifile.ROI_TYPE.RECT
    roi.options &= ~roifile.ROI_OPTIONS.SUB_PIXEL_RESOLUTION
    roi.integer_coordinates = roi.subpixel_coordinates = None
    roi.n_coordinates = 0
    roi.multi_coordinates = np.array(path, np.float32)
    roi.shape_roi_size = len(path)
    return roi


def check_rois() -> None:
    """Raise UsageError if the package for these files is not installed."""
    try:
        import roifile  # noqa: F401
    except ImportError:
        raise UsageError(
            "Regions for ImageJ need the package roifile: pip install roifile."
        ) from None
