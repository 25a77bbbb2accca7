"""Pictures of two axes: PNG, JPEG, BMP."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.atomic import atomically
from autoseg.errors import FormatError
from autoseg.formats import FORMATS
from autoseg.formats._arrays import as_storable
from autoseg.formats._in_files.lossy import HEAD, packed_with_loss, unread_jpeg
from autoseg.formats._tiff.files import TiffFiles
from autoseg.formats._upright import TAG, upright, upright_axes, upright_note
from autoseg.formats.base import Array, Format
from autoseg.formats.header import flat_geometry, with_remarks
from autoseg.spec.image import Geometry

JPEG = (".jpg", ".jpeg")
# Depth and color type in the header.
PNG_16_BIT_COLOR = (b"\x10\x02", b"\x10\x06")
PNG_16_BIT_GRAY_ALPHA = b"\x10\x04"
PNG_8_BIT_RGBA = b"\x08\x06"


class PlainTiff(TiffFiles):
    """TIFF whose metadata is left aside."""

    trusts_metadata = False


@FORMATS.register
class NaturalFormat(Format):
    """PNG, JPEG and BMP by Pillow.

    Gray is one channel, gray with alpha two, color three, color with alpha four. A
    palette becomes color in an image, and is left aside in an annotation: there the
    index is the class. A picture is read as viewers show it: turned, if its EXIF
    orientation says so. Resolution in such files says how large to print them, so the
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
        array, turned = _read(path, palette_as_color=True)
        return array, _geometry(path, array.shape[1:], turned, spacing, unit)

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
                turned = _orientation(picture)
                shape = upright_axes(picture.size[::-1], turned)
        except UnidentifiedImageError:
            raise _unknown(path) from None
        return _geometry(path, shape, turned, spacing, unit)

    def is_picture(self, path: Path) -> bool:
        return not _is_tiff(path) or PlainTiff().is_picture(path)

    def loses(self, path: Path) -> str:
        if _is_tiff(path):
            return PlainTiff().loses(path)
        return packed_with_loss(_head(path))

    def load_labels(
        self, path: Path, spacing: Sequence[float] | None, unit: str | None
    ) -> tuple[Array, Geometry]:
        if _is_tiff(path):
            return PlainTiff().load(path, spacing, unit, 1)
        array, turned = _read(path, palette_as_color=False)
        return array, _geometry(path, array.shape[1:], turned, spacing, unit)

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


def _head(path: Path) -> bytes:
    """Return the beginning of a file, nothing of one that cannot be read."""
    try:
        with open(path, "rb") as file:
            return file.read(HEAD)
    except OSError:
        return b""


def _unknown(path: Path) -> FormatError:
    """Return the error of a file that Pillow does not know."""
    if kind := unread_jpeg(_head(path)):
        return _unread(path, kind)
    return FormatError(
        f"{path} is no picture, whatever its name says. Get or write it again."
    )


def _unread(path: Path, kind: str) -> FormatError:
    return FormatError(
        f"{path} is {kind}, which cannot be read here. Save it as PNG or TIFF."
    )


def _geometry(
    path: Path,
    shape: tuple[int, ...],
    turned: int,
    spacing: Sequence[float] | None,
    unit: str | None,
) -> Geometry:
    geometry = flat_geometry(path, shape, spacing, unit)
    return with_remarks(geometry, notes=upright_note(turned))


def _orientation(picture: Any) -> int:
    """Return the EXIF orientation of an open picture, 1 if it has none."""
    found = picture.getexif().get(TAG, 1)
    return int(found) if isinstance(found, int) else 1


def _read(path: Path, palette_as_color: bool) -> tuple[Array, int]:
    """Return a picture as viewers show it, (C, Y, X), and its EXIF orientation."""
    from PIL import Image, UnidentifiedImageError

    # A limit against hostile pictures from the web; scans of slides are larger, and
    # these files are the user's own.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with open(path, "rb") as file:
            kind = file.read(26)[24:26]
        with Image.open(path) as picture:
            turned = _orientation(picture)
            frames = getattr(picture, "n_frames", 1)
            if picture.format == "PNG" and frames > 1:
                raise FormatError(
                    f"{path} is an animation of {frames} pictures. Save each as a file "
                    "of its own."
                )
            if kind in PNG_16_BIT_COLOR:
                array: Any = _read_16_bit_color(path)
            elif kind == PNG_16_BIT_GRAY_ALPHA:
                array = _read_16_bit_gray_alpha(path)
            else:
                array = _pixels(picture, palette_as_color)
    except UnidentifiedImageError:
        raise _unknown(path) from None
    except (OSError, SyntaxError, ValueError) as error:
        if jpeg := unread_jpeg(_head(path)):
            raise _unread(path, jpeg) from None
        raise FormatError(
            f"{path} is damaged ({error}). Get or write it again."
        ) from None
    if not array.size:
        raise FormatError(f"{path} has no pixels.")
    array = array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)
    return upright(array, turned), turned


def _pixels(picture: Any, palette_as_color: bool) -> Array:
    """Return the pixels of a picture as Pillow has them, (Y, X) or (Y, X, C)."""
    mode: str = picture.mode
    if mode in ("P", "PA") and palette_as_color:
        picture = picture.convert("RGBA" if mode == "PA" else "RGB")
    elif mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        picture = picture.convert("RGB")
    return np.asarray(picture)


def _read_16_bit_color(path: Path) -> Array:
    """Read a PNG of which Pillow would drop the lower 8 bits of each value."""
    import SimpleITK

    try:
        return np.asarray(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))))
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise FormatError(f"{path} is damaged ({reason}). Write it again.") from None


def _read_16_bit_gray_alpha(path: Path) -> Array:
    """Read a PNG of gray and alpha in 16 bits, which Pillow and ITK cannot read.

    A pixel has four bytes, as one of red, green, blue and alpha in 8 bits; filters
    and interlacing work on bytes. So it is read as such, and the bytes are joined.
    https://www.w3.org/TR/png-3, sections 7.2 and 9.
    """
    from PIL import Image

    data = bytearray(path.read_bytes())
    data[24:26] = PNG_8_BIT_RGBA
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with Image.open(io.BytesIO(data)) as picture:
        values = np.asarray(picture)
    return np.ascontiguousarray(values).view(">u2").astype(np.uint16)
