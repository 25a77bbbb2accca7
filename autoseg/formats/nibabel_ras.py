"""NIfTI turned to RAS, for models of nnU-Net's NibabelIOWithReorient."""

from __future__ import annotations

from autoseg.formats import FORMATS
from autoseg.formats._nibabel import NibabelFiles
from autoseg.formats._turned import TurnedFormat


@FORMATS.register
class NibabelRasFormat(TurnedFormat):
    """As `nibabel`, with every volume turned to RAS; predictions are turned back."""

    inner = NibabelFiles()
    endings = NibabelFiles.endings
    probabilities_ending = NibabelFiles.probabilities_ending
