"""A zip file of regions that ImageJ's ROI Manager opens.

Needs the package ``roifile`` (``pip install autoseg[roi]``).
"""

from __future__ import annotations

from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from autoseg.atomic import atomically
from autoseg.errors import UsageError
from autoseg.instancefiles.measure import Measured
from autoseg.instancefiles.planes import planes_of
from autoseg.spec.instances import Instances

MOST_GROUPS = 255  # a byte of the file


def write_rois(
    path: Path, instances: Instances, measured: Measured, *, grouped: bool = False
) -> None:
    """Write a polygon for each piece of each instance; in 3-D for each of its slices.

    Pixels that share a corner are one piece. Holes are lost: ImageJ's polygons have
    none. A region is called by the instance's
    id, with the slice, and with a number if there are several pieces.

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
    import roifile

    volume = instances.labels.ndim == 3
    with atomically(path) as temporary, ZipFile(temporary, "w", ZIP_DEFLATED) as file:
        for plane in planes_of(instances, measured, corners=True):
            for piece, rings in enumerate(plane.pieces, start=1):
                name = str(int(measured.ids[plane.number]))
                name += f"-z{plane.z + 1}" if volume else ""
                name += f"-{piece}" if len(plane.pieces) > 1 else ""
                roi = roifile.ImagejRoi.frompoints(rings[0], name=name)
                roi.roitype = roifile.ROI_TYPE.POLYGON
                kind = int(measured.classes[plane.number])
                roi.group = kind if grouped and kind <= MOST_GROUPS else 0
                if volume:
                    roi.position = roi.z_position = plane.z + 1
                file.writestr(f"{name}.roi", roi.tobytes())


def check_rois() -> None:
    """Raise UsageError if the package for these files is not installed."""
    try:
        import roifile  # noqa: F401
    except ImportError:
        raise UsageError(
            "Regions for ImageJ need the package roifile: pip install roifile."
        ) from None
