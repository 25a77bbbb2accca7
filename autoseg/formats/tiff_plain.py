"""TIFF without its metadata's spacing, for models of nnU-Net's Tiff3DIO."""

from __future__ import annotations

from autoseg.formats import FORMATS
from autoseg.formats._tiff.files import TiffFiles


@FORMATS.register
class PlainTiffFormat(TiffFiles):
    """As `tiff`, with spacing from a side-car or dataset.json only, else 1 px.

    nnU-Net's readers do not look at metadata, so a model that they fed was trained on
    that spacing.
    """

    automatic = False
    trusts_metadata = False
