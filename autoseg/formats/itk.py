"""Medical images as ITK reads them: NIfTI, NRRD, MHA, MHD, GIPL."""

from __future__ import annotations

from autoseg.formats import FORMATS
from autoseg.formats._itk import ItkFiles


@FORMATS.register
class ItkFormat(ItkFiles):
    """NIfTI, NRRD, MHA, MHD and GIPL in ITK's conventions.

    A two-dimensional file gives D = 2. The fourth axis of a four-dimensional file, and
    the components of a vector image, are channels. The voxels keep the order that they
    have in the file; directions are kept in the geometry.
    """
