"""TIFF files to arrays with a geometry, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.atomic import atomically
from autoseg.errors import FormatError
from autoseg.formats._arrays import as_storable
from autoseg.formats._tiff.calibration import (
    calibration_of,
    channels_of,
    entries_of,
    read_side_car,
)
from autoseg.formats._tiff.content import Content, white_is_one
from autoseg.formats._tiff.layout import Layout, find_layout
from autoseg.formats._tiff.pages import content_of, packing_of, pixels_of
from autoseg.formats._tiff.parts import cases_in
from autoseg.formats._tiff.pyramid import write_pyramid
from autoseg.formats._tiff.windows import Segments, suits
from autoseg.formats._upright import TURNED, upright, upright_axes, upright_note
from autoseg.formats.base import Array, Format, match_ending
from autoseg.formats.header import (
    as_filed,
    fields_of,
    flat_geometry,
    with_fields,
    with_remarks,
)
from autoseg.geometry import mapped
from autoseg.spec.arrays.windowed import Windowed
from autoseg.spec.foreign.place import place_of
from autoseg.spec.foreign.units import factor_between
from autoseg.spec.image import Geometry
from autoseg.spec.json import dumps

LABEL_KINDS = (np.uint8, np.uint16, np.int16, np.int32, np.uint32)
COLORS = (2, 3, 5, 6, 8)  # RGB, palette, CMYK, YCbCr, CIELab by TIFF's numbers
ALPHA = (1, 2)  # of extra samples
RGB = 3  # channels of a picture in color
OME = (".ome.tiff", ".ome.tif")
SAME = 0.01  # relative: sizes in metadata are rounded
MISTAKEN = 10.0  # times; no other size, but another unit
TILE = (512, 512)  # of what is large: whoever looks at a part reads only that
IMAGEJ_UNITS = {"px": "pixel", "um": "micron"}
DAMAGE = (IndexError, ValueError, OSError)  # TiffFileError is a ValueError
IMAGEJ_KINDS = (np.uint8, np.uint16, np.float32)  # all that ImageJ knows


class TiffFiles(Format):
    """TIFF of two or three axes, with channels, by tifffile.

    Attributes
    ----------
    trusts_metadata : bool
        Whether ImageJ's and OME's spacing count, where nothing else gives one.
    """

    trusts_metadata: ClassVar[bool] = True
    several_units = True
    endings = (".ome.tiff", ".ome.tif", ".tiff", ".tif")
    probabilities_ending = ".tif"

    parted = OME

    def cases(self, path: Path) -> list[dict[str, str]]:
        import tifffile

        try:
            with tifffile.TiffFile(path) as file:
                return cases_in(file)
        except DAMAGE as error:
            raise _damaged(path, error) from None

    def load(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry]:
        import tifffile

        try:
            with tifffile.TiffFile(place_of(path)) as file:
                _must_be_whole(file, path)
                content = content_of(file, path)
                layout = _layout(content, channels, path)
                array = _arranged(pixels_of(content, path), layout)
                if channels == RGB:
                    array = _in_colors(array, content)
                array = upright(array, content.orientation)
                geometry = self._geometry(file, content, layout, path, spacing, unit)
        except DAMAGE as error:
            raise _damaged(path, error) from None
        return array, geometry

    def open(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry] | None:
        import tifffile

        file = None
        try:
            file = tifffile.TiffFile(place_of(path))
            content = content_of(file, path)
            small = not mapped.is_large(math.prod(content.shape))
            if small or content.keyframe.is_memmappable or not suits(content):
                return None
            if channels == RGB and content.palette is not None:
                return None
            _must_be_whole(file, path)
            layout = _layout(content, channels, path)
            geometry = self._geometry(file, content, layout, path, spacing, unit)
            lazy: Any = Windowed(Segments(file, content, path))
            file = None  # the source keeps it open
            return upright(_arranged(lazy, layout), content.orientation), geometry
        except DAMAGE as error:
            raise _damaged(path, error) from None
        finally:
            if file is not None:
                file.close()

    def geometry(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> Geometry:
        import tifffile

        try:
            with tifffile.TiffFile(place_of(path)) as file:
                content = content_of(file, path)
                layout = _layout(content, channels, path)
                return self._geometry(file, content, layout, path, spacing, unit)
        except DAMAGE as error:
            raise _damaged(path, error) from None

    def is_picture(self, path: Path) -> bool:
        import tifffile

        with tifffile.TiffFile(place_of(path)) as file:
            page = content_of(file, path).keyframe
            alpha = [extra for extra in page.extrasamples if int(extra) in ALPHA]
            return page.photometric in COLORS or bool(alpha)

    def called(self, path: Path) -> tuple[str, ...]:
        import tifffile

        if not self.trusts_metadata:
            return ()
        try:
            with tifffile.TiffFile(place_of(path)) as file:
                number = content_of(file, path).number if file.is_ome else 0
                return channels_of(file.ome_metadata or "", number)
        except DAMAGE:  # which reading it says
            return ()

    def loses(self, path: Path) -> str:
        import tifffile

        try:
            with tifffile.TiffFile(place_of(path)) as file:
                return packing_of(file, content_of(file, path))
        except DAMAGE as error:
            raise _damaged(path, error) from None

    def _geometry(
        self,
        file: Any,
        content: Content,
        layout: Layout,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
    ) -> Geometry:
        path, turned = place_of(path), content.orientation
        shape = tuple(content.shape[i] for i in layout.space)
        notes = (*content.notes, *upright_note(turned))
        if content.doubt and layout.channel is None:
            notes = (*notes, content.doubt)
        shape = upright_axes(shape, turned)
        side_car = read_side_car(path, path.name[: -len(self._ending(path))])
        fields = None
        if side_car is not None:
            found = flat_geometry(path, shape, side_car[0], side_car[1] or unit)
        elif spacing is not None:
            found = flat_geometry(path, shape, spacing, unit)
            if self.trusts_metadata:
                found = with_remarks(found, *_overruled(file, found))
        elif self.trusts_metadata:
            size, fields = calibration_of(file, len(shape), unit, content.number)
            edges = None if size is None else upright_axes(size.spacing, turned)
            found = flat_geometry(
                path, shape, edges, None if size is None else size.unit
            )
            if size is not None:
                found = with_remarks(found, size.remarks, size.notes)
        else:
            found = flat_geometry(path, shape, None, unit)
        remarks, also = white_is_one(content)
        found = with_remarks(found, remarks, (*notes, *also))
        return found if turned in TURNED else with_fields(found, "tiff", fields)

    def _ending(self, path: Path) -> str:
        return match_ending(path.name, self.endings) or path.suffix

    def write_labels(self, path: Path, labels: Array, geometry: Geometry) -> None:
        self._write(path, as_storable(labels, LABEL_KINDS, path), geometry)

    def write_image(self, path: Path, array: Array, geometry: Geometry) -> None:
        self._write(path, np.asarray(array, dtype=np.float32), geometry)

    def _write(self, path: Path, array: Array, geometry: Geometry) -> None:
        import tifffile

        axes = "CZYX"[-array.ndim :] if geometry.dim == 3 else "CYX"[-array.ndim :]
        if match_ending(path.name, OME):
            with atomically(path) as temporary:
                write_pyramid(temporary, array, axes, as_filed(geometry))
            return
        # ImageJ's own order.
        if axes == "CZYX":
            array, axes = np.moveaxis(array, 0, 1), "ZCYX"
        geometry = as_filed(geometry)
        fields = fields_of(geometry, "tiff")
        large = array.nbytes > mapped.IN_MEMORY
        imagej = array.dtype in IMAGEJ_KINDS and not large
        options: dict[str, Any] = {"metadata": {"axes": axes}}
        if imagej:
            options = _imagej_options(fields, geometry, options["metadata"])
        plain = geometry.unit == "px" and set(geometry.spacing) == {1.0}
        with atomically(path) as temporary:
            if not plain and not (imagej and fields is not None):
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


def _layout(content: Content, channels: int | None, path: Path) -> Layout:
    return find_layout(content.axes, content.shape, channels, path, content.said)


def _damaged(path: Path, error: Exception) -> FormatError:
    return FormatError(
        f"{path} is damaged or no TIFF ({error}). Get or write it again."
    )


def _arranged(array: Array, layout: Layout) -> Array:
    """Return an array as (C, *S)."""
    order = [*layout.space]
    if layout.channel is not None:
        order.insert(0, layout.channel)
    index = tuple(slice(None) if i in order else 0 for i in range(array.ndim))
    kept = sorted(order)
    array = array[index].transpose([kept.index(i) for i in order])
    return array if layout.channel is not None else array[None]


def _in_colors(array: Array, content: Content) -> Array:
    """Return a picture (1, *S) whose values are those of a palette in its colors."""
    table = content.palette
    if table is None or len(array) > 1 or array.dtype.kind not in "u":
        return array
    return (np.asarray(table)[:, array[0]] >> 8).astype(np.uint8)


def _imagej_options(
    fields: Mapping[str, Any] | None, geometry: Geometry, metadata: dict[str, Any]
) -> dict[str, Any]:
    """Return what makes tifffile write ImageJ's calibration."""
    if fields is not None:
        names = [n for n in ("spacing", "unit", "yunit", "zunit") if n in fields]
        return {
            "resolution": [tuple(pair) for pair in fields["resolution"]],
            "metadata": metadata | {name: fields[name] for name in names},
        }
    if geometry.unit == "px" and set(geometry.spacing) == {1.0}:
        return {"metadata": metadata}
    metadata = metadata | {"unit": IMAGEJ_UNITS.get(geometry.unit, geometry.unit)}
    if geometry.dim == 3:
        metadata["spacing"] = geometry.spacing[0]
    return {
        "resolution": (1 / geometry.spacing[-1], 1 / geometry.spacing[-2]),
        "metadata": metadata,
    }


def _overruled(file: Any, used: Geometry) -> tuple[list[str], list[str]]:
    """Return what to warn of, and to note, where a file's own size is another.

    Ten times and more is a mistake of unit.
    """
    size, _ = calibration_of(file, used.dim, None)
    factor = None if size is None else factor_between(size.unit, used.unit)
    if size is None or factor is None or used.unit == "px":
        return [], []
    own = np.multiply(size.spacing, factor)
    if not (np.isfinite(own) & (own > 0)).all():
        return [], []
    apart = float(np.exp(np.abs(np.log(own / used.spacing)).max()))
    if apart < 1 + SAME:
        return [], []
    sizes = (
        f"{' x '.join(f'{edge:.4g}' for edge in spacing)} {unit}"
        for spacing, unit in ((size.spacing, size.unit), (used.spacing, used.unit))
    )
    said = "it says a spacing of {}, and that of dataset.json, {}, is used".format(
        *sizes
    )
    return ([said], []) if apart >= MISTAKEN else ([], [said])
