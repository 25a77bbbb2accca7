"""OME-Zarr 0.4 and 0.5: folders of chunks, in several resolutions."""

from __future__ import annotations

from autoseg.formats import FORMATS
from autoseg.formats._zarr.files import ZarrFiles


@FORMATS.register
class OmeZarrFormat(ZarrFiles):
    """OME-Zarr folders, read by windows and written in several resolutions.

    The finest resolution counts. Spacing comes from dataset.json, else from the scale
    and units in the folder, else it is 1 px. Needs ``zarr`` (the extra ``micro``).
    """
