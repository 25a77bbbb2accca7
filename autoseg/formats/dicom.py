"""DICOM: a series as an image, a segmentation or contours as annotation; read only.

An image is a file, a folder or a zip of slices, or a part of one of these
(`autoseg.spec.foreign.place`). Written are predictions beside their series, by
`autoseg.dicom.segment_files`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from autoseg.dicom.headers import ENDINGS
from autoseg.dicom.voxels import Volume, read_volume
from autoseg.errors import FormatError
from autoseg.formats import FORMATS
from autoseg.formats.base import Array, Format
from autoseg.formats.header import in_wanted, with_remarks
from autoseg.spec.image import Geometry


@FORMATS.register
class Dicom(Format):
    """Series of DICOM files, with values as their headers scale them."""

    endings: ClassVar[tuple[str, ...]] = ENDINGS
    writes: ClassVar[bool] = False
    probabilities_ending = ".nii.gz"

    def load(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry]:
        volume = read_volume(path)
        if volume.array is None:
            raise FormatError(f"{path} has no voxels. Get it again.")
        return volume.array, _placed(volume, unit)

    def geometry(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> Geometry:
        return _placed(read_volume(path, voxels=False), unit)

    def load_labels(
        self, path: Path, spacing: Sequence[float] | None, unit: str | None
    ) -> tuple[Array, Geometry]:
        from autoseg.dicom.annotation import read_alone

        labels, geometry = read_alone(path)
        return labels[None], in_wanted(geometry, None, unit)

    def is_picture(self, path: Path) -> bool:
        return True

    def write_labels(self, path: Path, labels: Array, geometry: Geometry) -> None:
        raise FormatError(
            f"{path}: a DICOM segmentation belongs to a series. Predict that series "
            "with --output-type dicom-seg, or give another ending, such as .nii.gz."
        )

    def write_image(self, path: Path, array: Array, geometry: Geometry) -> None:
        raise FormatError(f"{path}: images are not written as DICOM. Give .nii.gz.")


def _placed(volume: Volume, unit: str | None) -> Geometry:
    geometry = with_remarks(volume.geometry, volume.remarks, volume.notes)
    return in_wanted(geometry, None, unit)
