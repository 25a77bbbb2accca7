"""Structure sets (RTSTRUCT): contours as structures on a grid, and masks as contours.

Contours of one region in one plane are exclusive: inside two of them is outside, so
rings have holes. A contour is drawn through the middle between voxels that are inside
and those that are not, and a voxel is inside if its center is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.dicom.drawing import Drawing, Structure
from autoseg.dicom.grid import slack_of, to_voxels
from autoseg.errors import FormatError
from autoseg.spec.image import Geometry

Array = NDArray[Any]

CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
FLAT = 0.05  # voxels that a contour may leave its plane by
OFF = 0.3  # voxels that a contour may lie off a slice
FINE = 0.25  # voxels between points of an open line


class Contours(Drawing):
    """A file of the SOP class RT Structure Set.

    Parameters
    ----------
    data : pydicom.Dataset
        The file.
    where : str
        For messages.
    """

    def __init__(self, data: Any, where: str) -> None:
        self.where = where
        names = {
            int(one.ROINumber): str(one.get("ROIName") or f"region {one.ROINumber}")
            for one in data.get("StructureSetROISequence") or ()
        }
        self.structures = [Structure(number=n, name=name) for n, name in names.items()]
        self.series, self.frame_of_reference = _referenced(data)
        self._lines: dict[int, list[tuple[str, Array]]] = defaultdict(list)
        for region in data.get("ROIContourSequence") or ():
            for contour in region.get("ContourSequence") or ():
                points = np.asarray(contour.get("ContourData") or (), np.float64)
                if len(points) % 3:
                    raise FormatError(
                        f"{where}: a contour of region {region.ReferencedROINumber} "
                        f"has {len(points)} numbers, which are no points. Get it again."
                    )
                kind = str(contour.get("ContourGeometricType") or CLOSED[0])
                line = (kind, points.reshape(-1, 3))
                self._lines[int(region.ReferencedROINumber)].append(line)

    def grid(self) -> Geometry | None:
        return None

    def points(self, number: int) -> list[Array]:
        """Return the single points of a region, shape (N, 3) each, in millimeters."""
        return [p for kind, p in self._lines[number] if kind == "POINT"]

    def voxels(
        self, number: int, geometry: Geometry
    ) -> Iterator[tuple[tuple[Array, ...], bool]]:
        if geometry.dim != 3:
            raise FormatError(
                f"{self.where} has contours in the patient, and its image has "
                f"{geometry.dim} axes and no place there."
            )
        for kind, points in self._lines[number]:
            if not len(points):
                continue
            voxels = to_voxels(points, geometry)
            if kind in CLOSED and len(points) > 2:
                yield self._filled(voxels, points, geometry), True
            else:
                yield _line(voxels), False

    def _filled(
        self, voxels: Array, points: Array, geometry: Geometry
    ) -> tuple[Array, ...]:
        extent = np.ptp(voxels, axis=0)
        axis = int(extent.argmin())
        middle = float(voxels[:, axis].mean())
        plane = round(middle)
        at = ", ".join(f"{value:.4g}" for value in points[0])
        if extent[axis] > FLAT:
            raise FormatError(
                f"{self.where}: the contour at ({at}) mm lies in no plane of its "
                "image. Correct which belong together."
            )
        if abs(middle - plane) > slack_of(geometry, OFF):
            raise FormatError(
                f"{self.where}: the contour at ({at}) mm lies between two slices of "
                "its image. Correct which belong together."
            )
        others = [number for number in range(3) if number != axis]
        rows, columns = filled(voxels[:, others])
        found = [np.full(len(rows), plane)] * 3
        found[others[0]], found[others[1]] = rows, columns
        return tuple(found)


def filled(ring: Array) -> tuple[Array, Array]:
    """Return the pixels whose centers are in a ring, by how often it goes around.

    Parameters
    ----------
    ring : ndarray, shape (N, 2)
        Points (row, column), where whole numbers are centers of pixels.

    Returns
    -------
    rows, columns : ndarray of int
        Pixels inside; by the even-odd rule.
    """
    low = np.floor(ring.min(0)).astype(int)
    shape = np.ceil(ring.max(0)).astype(int) - low + 1
    moved = ring - low
    ends = np.roll(moved, -1, axis=0)
    inside = np.zeros(shape, bool)
    columns = np.arange(shape[1])
    for (y0, x0), (y1, x1) in zip(moved, ends, strict=True):
        if y0 == y1:
            continue
        first, last = sorted((y0, y1))
        rows = np.arange(int(np.ceil(first)), int(np.ceil(last)))  # first <= row < last
        crossed = x0 + (rows - y0) * (x1 - x0) / (y1 - y0)
        inside[rows] ^= columns[None] < crossed[:, None]
    rows, found = np.nonzero(inside)
    return rows + low[0], found + low[1]


def _line(voxels: Array) -> tuple[Array, ...]:
    """Return the voxels that an open line goes through, or a point is in."""
    pieces = [voxels[:1]]
    for start, end in zip(voxels, voxels[1:], strict=False):
        count = max(1, int(np.ceil(np.abs(end - start).max() / FINE)))
        share = np.arange(1, count + 1)[:, None] / count
        pieces.append(start + (end - start) * share)
    found = np.unique(np.round(np.concatenate(pieces)).astype(int), axis=0)
    return tuple(found.T)


def _referenced(data: Any) -> tuple[str, str]:
    """Return series and frame of reference that contours were drawn on."""
    for frame in data.get("ReferencedFrameOfReferenceSequence") or ():
        uid = str(frame.get("FrameOfReferenceUID") or "")
        for study in frame.get("RTReferencedStudySequence") or ():
            for series in study.get("RTReferencedSeriesSequence") or ():
                return str(series.get("SeriesInstanceUID") or ""), uid
        return "", uid
    return "", str(data.get("FrameOfReferenceUID") or "")


def rings_of(mask: Array) -> list[NDArray[np.float64]]:
    """Return the contours of a mask, whose exclusive interiors are its pixels.

    Parameters
    ----------
    mask : ndarray of bool, shape (Y, X)
        One slice.

    Returns
    -------
    list of ndarray, shape (N, 2)
        Points (row, column) half way between centers of pixels inside and outside.
    """
    from skimage.measure import find_contours

    if not mask.any():
        return []
    rings = find_contours(np.pad(mask, 1).astype(np.float32), 0.5)
    return [ring[:-1] - 1.0 for ring in rings]
