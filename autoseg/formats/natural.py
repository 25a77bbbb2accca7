"""Pictures of two axes: PNG, JPEG, BMP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.atomic import atomically
from autoseg.errors import FormatError
from autoseg.formats import FORMATS
from autoseg.formats._arrays import as_storable
from autoseg.formats._tiff.files import TiffFiles
from autoseg.formats.base import Array, Format
from autoseg.formats.header import flat_geometry
from autoseg.spec.image import Geometry

JPEG = (".jpg", ".jpeg")
PNG_16_BIT_COLOR = (b"\x10\x02", b"\x10\x06")  # depth and color type in the header


class PlainTiff(TiffFiles):
    """TIFF whose metadata is left aside."""

    trusts_metadata = False


@FORMATS.register
class NaturalFormat(Format):
    """PNG, JPEG and BMP by Pillow.

    Gray is one channel, gray with alpha two, color three, color with alpha four. A
    palette becomes color in an image, and is left aside in an annotation: there the
    index is the class. Resolution in such files says how large to print them, so the
    spacing is 1 px unless dataset.json gives one.

    TIFF is read by this format only when it is asked for by name, without its
    metadata, as nnU-Net's reader of pictures does.
    """

    endings = (".png", *JPEG, ".bmp")
    also = PlainTiff.endings
    probabilities_ending = ".tif"

    def load(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry]:
        if _is_tiff(path):
            return PlainTiff().load(path, spacing, unit, channels)
        array = _read(path, palette_as_color=True)
        return array, flat_geometry(path, array.shape[1:], spacing, unit)

    def geometry(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> Geometry:
        if _is_tiff(path):
            return PlainTiff().geometry(path, spacing, unit, channels)
        from PIL import Image, UnidentifiedImageError

        Image.MAX_IMAGE_PIXELS = None  # see below
        try:
            with Image.open(path) as picture:
                shape = picture.size[::-1]
        except UnidentifiedImageError:
            raise FormatError(
                f"{path} is no picture, whatever its name says. Get or write it again."
            ) from None
        return flat_geometry(path, shape, spacing, unit)

    def is_picture(self, path: Path) -> bool:
        return not _is_tiff(path) or PlainTiff().is_picture(path)

    def load_labels(
        self, path: Path, spacing: Sequence[float] | None, unit: str | None
    ) -> tuple[Array, Geometry]:
        if _is_tiff(path):
            return PlainTiff().load(path, spacing, unit, 1)
        array = _read(path, palette_as_color=False)
        return array, flat_geometry(path, array.shape[1:], spacing, unit)

    def write_labels(self, path: Path, labels: Array, geometry: Geometry) -> None:
        from PIL import Image

        if _is_tiff(path):
            return PlainTiff().write_labels(path, labels, geometry)
        ending = path.suffix.lower()
        if ending in JPEG:
            raise FormatError(
                f"{path}: JPEG changes values, so annotations cannot be written to it. "
                'Set "label_ending": ".png" in dataset.json.'
            )
        if labels.ndim != 2:
            raise FormatError(
                f"{path} holds two axes, not an array of shape {labels.shape}; "
                "choose .tif or .nii.gz."
            )
        kinds = (np.uint8, np.uint16) if ending == ".png" else (np.uint8,)
        stored = as_storable(labels, kinds, path)
        with atomically(path) as temporary:
            Image.fromarray(np.ascontiguousarray(stored)).save(temporary)

    def write_image(self, path: Path, array: Array, geometry: Geometry) -> None:
        if _is_tiff(path):
            return PlainTiff().write_image(path, array, geometry)
        raise FormatError(
            f"{path} cannot hold floating-point values; choose "
            f"{self.probabilities_ending}."
        )


def _is_tiff(path: Path) -> bool:
    return path.name.lower().endswith(PlainTiff.endings)


def _read(path: Path, palette_as_color: bool) -> Array:
    """Return a picture as (C, Y, X)."""
    from PIL import Image, UnidentifiedImageError

    # A limit against hostile pictures from the web; scans of slides are larger, and
    # these files are the user's own.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with open(path, "rb") as file:
            if file.read(26)[24:26] in PNG_16_BIT_COLOR:
                return _read_16_bit_color(path)
        with Image.open(path) as picture:
            mode: str = picture.mode
            if mode in ("P", "PA") and palette_as_color:
                mode = "RGBA" if mode == "PA" else "RGB"
                array: Any = np.asarray(picture.convert(mode))
            elif mode in ("CMYK", "YCbCr", "LAB", "HSV"):
                array = np.asarray(picture.convert("RGB"))
            else:
                array = np.asarray(picture)
    except UnidentifiedImageError:
        raise FormatError(
            f"{path} is no picture, whatever its name says. Get or write it again."
        ) from None
    except (OSError, SyntaxError, ValueError) as error:
        raise FormatError(
            f"{path} is damaged ({error}). Get or write it again."
        ) from None
    if not array.size:
        raise FormatError(f"{path} has no pixels.")
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def _read_16_bit_color(path: Path) -> Array:
    """Read a PNG of which Pillow would drop the lower 8 bits of each value."""
    import SimpleITK

    try:
        array = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise FormatError(f"{path} is damaged ({reason}). Write it again.") from None
    return np.moveaxis(array, -1, 0)
