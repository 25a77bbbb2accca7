"""Images in two files, a header and its voxels: .nhdr, and .hdr with .img; read only.

NRRD with its header alone, NIfTI's pair, and Analyze 7.5, which it comes from. A copy
of one of two files is no image, so that predictions are written as NIfTI in one.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from autoseg.errors import FormatError
from autoseg.formats import FORMATS
from autoseg.formats._itk import ItkFiles
from autoseg.formats.base import Array
from autoseg.spec.image import Geometry


@FORMATS.register
class DetachedFormat(ItkFiles):
    """Headers whose voxels are beside them, in ITK's conventions.

    Analyze says nothing of how its axes lie, so that such an image is never turned.
    """

    endings: ClassVar[tuple[str, ...]] = (".nhdr", ".hdr", ".hdr.gz")
    writes: ClassVar[bool] = False
    probabilities_ending = ".nii.gz"

    def write_labels(self, path: Path, labels: Array, geometry: Geometry) -> None:
        raise FormatError(f"{path}: written is one file, such as .nii.gz or .nrrd.")

    def write_image(self, path: Path, array: Array, geometry: Geometry) -> None:
        raise FormatError(f"{path}: written is one file, such as .nii.gz or .nrrd.")
