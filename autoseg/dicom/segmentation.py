"""DICOM segmentations: binary, fractional and label maps, as structures on a grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.dicom.drawing import Drawing, Structure
from autoseg.dicom.grid import Fit
from autoseg.dicom.needed import no_decoder
from autoseg.dicom.planes import Plane, planes_in
from autoseg.errors import FormatError
from autoseg.spec.image import Geometry

Array = NDArray[Any]

LABELMAP, FRACTIONAL = "LABELMAP", "FRACTIONAL"
HALF = 0.5  # of the largest fraction: from there on a voxel belongs to a segment


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """A frame with the segment that it is of; 0 in label maps, which hold all."""

    plane: Plane
    segment: int


class Segmentation(Drawing):
    """A file of the SOP class Segmentation or Label Map Segmentation.

    Parameters
    ----------
    data : pydicom.Dataset
        The file.
    where : str
        For messages.
    """

    def __init__(self, data: Any, where: str) -> None:
        self.where, self._data = where, data
        self.kind = str(data.get("SegmentationType") or "BINARY")
        self.structures = [_structure(one) for one in data.get("SegmentSequence") or ()]
        if self.kind == LABELMAP:  # which may name the background, too
            self.structures = [one for one in self.structures if one.number != 0]
        self.frame_of_reference = str(data.get("FrameOfReferenceUID") or "")
        referenced = data.get("ReferencedSeriesSequence") or ()
        self.series = (
            str(referenced[0].get("SeriesInstanceUID") or "") if referenced else ""
        )
        planes = list(planes_in(data, where))
        self.frames = [
            _Frame(plane=plane, segment=segment)
            for plane, segment in zip(planes, self._segments(planes), strict=True)
        ]
        self._pixels: Array | None = None

    def _segments(self, planes: list[Plane]) -> list[int]:
        if self.kind == LABELMAP:
            return [0] * len(planes)
        shared = self._data.get("SharedFunctionalGroupsSequence") or ()
        each = self._data.get("PerFrameFunctionalGroupsSequence") or ()
        found = []
        for number in range(len(planes)):
            groups = [*each[number : number + 1], *shared]
            said = [g.get("SegmentIdentificationSequence") for g in groups]
            numbers = [int(s[0].ReferencedSegmentNumber) for s in said if s]
            if not numbers:
                raise FormatError(
                    f"{self.where}: frame {number + 1} does not say of which segment "
                    "it is. Get or write it again."
                )
            found.append(numbers[0])
        return found

    @property
    def pixels(self) -> Array:
        """Stored numbers, shape (N, Y, X)."""
        if self._pixels is None:
            try:
                found = np.asarray(self._data.pixel_array)
            except Exception as error:  # whatever pydicom raises
                syntax = self._data.file_meta.TransferSyntaxUID
                raise no_decoder(self.where, syntax, error) from None
            self._pixels = found[None] if found.ndim == 2 else found
        return self._pixels

    def grid(self) -> Geometry | None:
        frames = [f.plane for f in self.frames if f.plane.position is not None]
        first = frames[0] if frames else None
        if first is None or first.orientation is None or first.spacing is None:
            return None
        row, column = np.reshape(first.orientation, (2, 3))
        normal = np.cross(row, column)
        normal = normal / np.linalg.norm(normal)
        heights = np.array([np.dot(plane.position or (), normal) for plane in frames])
        apart = np.unique(np.round(heights, 4))
        step = float(np.diff(apart).min()) if len(apart) > 1 else self._thickness()
        count = round((apart[-1] - apart[0]) / step) + 1
        lowest = frames[int(heights.argmin())]
        return Geometry(
            shape=(count, *self.pixels.shape[1:]),
            spacing=(step, *first.spacing),
            origin=tuple(lowest.position or ()),
            direction=tuple(np.stack([row, column, normal], 1).ravel().tolist()),
        )

    def _thickness(self) -> float:
        shared = self._data.get("SharedFunctionalGroupsSequence") or ()
        measures = shared[0].get("PixelMeasuresSequence") if shared else None
        said = measures[0] if measures else {}
        return float(
            said.get("SpacingBetweenSlices") or said.get("SliceThickness") or 1.0
        )

    def voxels(
        self, number: int, geometry: Geometry
    ) -> Iterator[tuple[tuple[Array, ...], bool]]:
        for index, frame in enumerate(self.frames):
            if frame.segment not in (0, number):
                continue
            mask = self._mask(index, number)
            if not mask.any():
                continue
            if geometry.dim == 2:
                yield self._flat(mask, geometry), False
                continue
            plane = frame.plane
            if plane.position is None or plane.orientation is None or not plane.spacing:
                raise FormatError(
                    f"{self.where}: frame {index + 1} does not say where it lies. "
                    "Get or write it again."
                )
            fit = Fit(
                plane.position, plane.orientation, plane.spacing, geometry, mask.shape
            )
            if not fit.good:
                at = ", ".join(f"{value:.4g}" for value in plane.position)
                raise FormatError(
                    f"{self.where} lies on another grid than its image: frame "
                    f"{index + 1} at ({at}) mm meets no voxels. Correct which belong "
                    "together, or resample the segmentation to the image."
                )
            yield fit.places(mask), False

    def _mask(self, index: int, number: int) -> Array:
        pixels = self.pixels[index]
        if self.kind == LABELMAP:
            return np.asarray(pixels == number)
        if self.kind == FRACTIONAL:
            most = int(self._data.get("MaximumFractionalValue") or 255)
            return np.asarray(pixels >= HALF * most)
        return np.asarray(pixels > 0)

    def _flat(self, mask: Array, geometry: Geometry) -> tuple[Array, ...]:
        if mask.shape != geometry.shape:
            raise FormatError(
                f"{self.where} has {mask.shape} pixels, its image {geometry.shape}. "
                "Correct which belong together."
            )
        return np.nonzero(mask)


def _structure(one: Any) -> Structure:
    kinds = one.get("SegmentedPropertyTypeCodeSequence") or ()
    regions = one.get("AnatomicRegionSequence") or ()
    return Structure(
        number=int(one.SegmentNumber),
        name=str(one.get("SegmentLabel") or f"segment {one.SegmentNumber}"),
        also=tuple(
            str(code.get(key))
            for code in (*kinds[:1], *regions[:1])
            for key in ("CodeMeaning", "CodeValue")
            if code.get(key)
        ),
    )
