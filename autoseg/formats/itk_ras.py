"""Medical images turned to RAS, as nnU-Net's SimpleITKIOWithReorient reads them."""

from __future__ import annotations

from autoseg.formats import FORMATS
from autoseg.formats._itk import ItkFiles
from autoseg.formats._turned import TurnedFormat


@FORMATS.register
class ItkRasFormat(TurnedFormat):
    """As `itk`, with every volume turned to RAS; predictions are turned back.

    For models that were trained that way. A plan turns volumes by itself where cases
    differ in orientation.
    """

    inner = ItkFiles()
    endings = ItkFiles.endings
    probabilities_ending = ItkFiles.probabilities_ending
