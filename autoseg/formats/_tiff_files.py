"""TIFF files to arrays with a geometry, and back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.atomic import atomically
from autoseg.errors import FormatError
from autoseg.formats._arrays import as_storable
from autoseg.formats._header import fields_of, with_fields
from autoseg.formats._spacing import flat_geometry
from autoseg.formats._tiff import (
    FACTORS,
    Layout,
    entries_of,
    find_layout,
    imagej_fields,
    imagej_spacing,
    ome_spacing,
    read_side_car,
)
from autoseg.formats.base import Array, Format, match_ending
from autoseg.geometry import mapped
from autoseg.spec.image import Geometry
from autoseg.spec.json import dumps

LABEL_KINDS = (np.uint8, np.uint16, np.int16, np.int32, np.uint32)
COLORS = (2, 3, 5, 6, 8)  # RGB, palette, CMYK, YCbCr, CIELab by TIFF's numbers
ALPHA = (1, 2)  # of extra samples
TILE = (512, 512)  # of what is large: whoever looks at a part reads only that
IMAGEJ_KINDS = (np.uint8, np.uint16, np.float32)  # all that ImageJ knows


class TiffFiles(Format):
    """TIFF of two or three axes, with channels, by tifffile.

    Attributes
    ----------
    trusts_metadata : bool
        Whether ImageJ's and OME's spacing count, where nothing else gives one.
    """

    trusts_metadata: ClassVar[bool] = True
    endings = (".ome.tiff", ".ome.tif", ".tiff", ".tif")
    probabilities_ending = ".tif"

    def load(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry]:
        import tifffile

        try:
            with tifffile.TiffFile(path) as file:
                _must_be_whole(file, path)
                series = file.series[0]
                layout = find_layout(series.axes, series.shape, channels, path)
                array = _arranged(_pixels(series, path), layout)
                geometry = self._geometry(file, path, array.shape[1:], spacing, unit)
        except (tifffile.TiffFileError, IndexError, ValueError, OSError) as error:
            raise FormatError(
                f"{path} is damaged or no TIFF ({error}). Get or write it again."
            ) from None
        return array, geometry

    def geometry(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> Geometry:
        import tifffile

        try:
            with tifffile.TiffFile(path) as file:
                series = file.series[0]
                layout = find_layout(series.axes, series.shape, channels, path)
                shape = tuple(int(series.shape[i]) for i in layout.space)
                return self._geometry(file, path, shape, spacing, unit)
        except (tifffile.TiffFileError, IndexError, ValueError, OSError) as error:
            raise FormatError(
                f"{path} is damaged or no TIFF ({error}). Get or write it again."
            ) from None

    def is_picture(self, path: Path) -> bool:
        import tifffile

        with tifffile.TiffFile(path) as file:
            page: Any = file.series[0].keyframe
            alpha = [extra for extra in page.extrasamples if int(extra) in ALPHA]
            return page.photometric in COLORS or bool(alpha)

    def _geometry(
        self,
        file: Any,
        path: Path,
        shape: tuple[int, ...],
        spacing: Sequence[float] | None,
        unit: str | None,
    ) -> Geometry:
        side_car = read_side_car(path, path.name[: -len(self._ending(path))])
        if side_car is not None:
            return flat_geometry(path, shape, side_car[0], side_car[1] or unit)
        if spacing is not None:
            return flat_geometry(path, shape, spacing, unit)
        if not self.trusts_metadata:
            return flat_geometry(path, shape, None, unit)
        tags = file.pages[0].tags
        names = ("XResolution", "YResolution")
        fields = imagej_fields(
            file.imagej_metadata, {n: tags[n].value for n in names if n in tags}
        )
        if fields is not None:
            found = _in_unit(imagej_spacing(fields, len(shape)), unit)
            return with_fields(flat_geometry(path, shape, *found), "tiff", fields)
        pixels = _ome_pixels(file)
        measured = ome_spacing(pixels, len(shape)) if pixels else None
        if measured is not None:
            return flat_geometry(path, shape, *_in_unit(measured, unit))
        return flat_geometry(path, shape, None, unit)

    def _ending(self, path: Path) -> str:
        return match_ending(path.name, self.endings) or path.suffix

    def write_labels(self, path: Path, labels: Array, geometry: Geometry) -> None:
        self._write(path, as_storable(labels, LABEL_KINDS, path), geometry)

    def write_image(self, path: Path, array: Array, geometry: Geometry) -> None:
        self._write(path, np.asarray(array, dtype=np.float32), geometry)

    def _write(self, path: Path, array: Array, geometry: Geometry) -> None:
        import tifffile

        axes = "CZYX"[-array.ndim :] if geometry.dim == 3 else "CYX"[-array.ndim :]
        # ImageJ's own order.
        if axes == "CZYX":
            array, axes = np.moveaxis(array, 0, 1), "ZCYX"
        fields = fields_of(geometry, "tiff")
        large = array.nbytes > mapped.IN_MEMORY
        imagej = array.dtype in IMAGEJ_KINDS and not large
        options: dict[str, Any] = {"metadata": {"axes": axes}}
        if imagej and fields is not None:
            options["resolution"] = [tuple(pair) for pair in fields["resolution"]]
            options["metadata"] |= {n: fields[n] for n in ("spacing", "unit")}
        with atomically(path) as temporary:
            if geometry.unit != "px" and not (imagej and fields is not None):
                name = path.name[: -len(self._ending(path))] + ".json"
                content = entries_of(path.with_name(name))
                content |= {"spacing": geometry.spacing, "unit": geometry.unit}
                temporary.with_name(name).write_text(dumps(content), encoding="utf-8")
            tifffile.imwrite(
                temporary,
                np.ascontiguousarray(array),
                imagej=imagej,
                ome=False,
                photometric="minisblack",
                compression="zlib",
                tile=TILE if large else None,
                **options,
            )


def _must_be_whole(file: Any, path: Path) -> None:
    """Refuse a file that was cut off between pages; tifffile reads what is left."""
    pages = file.pages
    len(pages)  # walks to the last
    file.filehandle.seek(pages.next_page_offset)
    if any(file.filehandle.read(file.tiff.offsetsize) or b"?"):
        raise FormatError(f"{path} is cut off after {len(pages)} pages. Copy it again.")


def _pixels(series: Any, path: Path) -> Array:
    """Return the array of a series; by ITK where tifffile lacks a decoder."""
    large = series.nbytes > mapped.IN_MEMORY
    stored = series.dataoffset is not None and series.keyframe.is_memmappable
    out: Any = None
    if large:  # where it is, or unpacked into another file
        out = "memmap" if stored else mapped.zeros(series.shape, series.dtype)
    try:
        return np.asarray(series.asarray(out=out))
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
    import SimpleITK

    try:
        array = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    except RuntimeError:
        array = np.empty(0)
    if array.size != int(np.prod(series.shape)):
        compression = series.pages[0].compression.name
        raise FormatError(
            f"{path} is compressed by {compression}, which needs the package "
            "imagecodecs. Install it, or save the file with Deflate."
        )
    return array.reshape(series.shape)


def _arranged(array: Array, layout: Layout) -> Array:
    """Return an array as (C, *S)."""
    order = [*layout.space]
    if layout.channel is not None:
        order.insert(0, layout.channel)
    index = tuple(slice(None) if i in order else 0 for i in range(array.ndim))
    kept = sorted(order)
    array = array[index].transpose([kept.index(i) for i in order])
    return array if layout.channel is not None else array[None]


def _in_unit(
    measured: tuple[list[float], str], wanted: str | None
) -> tuple[list[float], str]:
    """Convert a spacing to the unit that is asked for."""
    spacing, unit = measured
    if wanted is None:
        return spacing, unit
    factor = FACTORS.get((unit, wanted), 1.0)
    return [edge * factor for edge in spacing], wanted


def _ome_pixels(file: Any) -> dict[str, Any] | None:
    import tifffile

    if not file.is_ome:
        return None
    image = tifffile.xml2dict(file.ome_metadata).get("OME", {}).get("Image", {})
    first = image[0] if isinstance(image, list) else image
    pixels = first.get("Pixels")
    return pixels if isinstance(pixels, dict) else None
