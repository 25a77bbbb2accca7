"""NIfTI as nibabel reads it, for models of nnU-Net's NibabelIO."""

from __future__ import annotations

from autoseg.formats import FORMATS
from autoseg.formats._nibabel import NibabelFiles, from_nibabel

__all__ = ["NibabelFormat", "from_nibabel"]


@FORMATS.register
class NibabelFormat(NibabelFiles):
    """NIfTI in nibabel's conventions, with the axes reversed to (Z, Y, X).

    Differs from `itk` where a header has a slope, a unit other than millimeters, or a
    matrix that is not orthonormal.
    """
