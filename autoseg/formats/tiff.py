"""TIFF: pictures, stacks and channels, with ImageJ's and OME's spacing."""

from __future__ import annotations

from autoseg.formats import FORMATS
from autoseg.formats._tiff.files import TiffFiles


@FORMATS.register
class TiffFormat(TiffFiles):
    """TIFF of two or three axes, with channels.

    Spacing comes from a side-car ``CASE.json`` with ``{"spacing": [...]}``, else from
    dataset.json, else from ImageJ's or OME's metadata, else it is 1 px. Resolution in
    dots per inch is left aside.
    """
