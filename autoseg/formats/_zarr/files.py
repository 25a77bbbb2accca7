"""OME-Zarr folders to arrays with a geometry, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.errors import FormatError, some_of
from autoseg.formats._arrays import as_storable
from autoseg.formats._tiff.calibration import calibrated
from autoseg.formats._zarr.arrays import Chunked
from autoseg.formats._zarr.metadata import (
    ARRAY,
    OLD_AXES,
    Axis,
    Level,
    Multiscale,
    channels_in,
    kind_of,
    labels_in,
    multiscale_of,
    positions_in,
)
from autoseg.formats._zarr.writing import name_labels, write_image, write_labels
from autoseg.formats.base import Array, Format
from autoseg.formats.header import (
    as_filed,
    fields_of,
    flat_geometry,
    with_fields,
    with_remarks,
)
from autoseg.geometry.mapped import is_large
from autoseg.spec.arrays.windowed import Windowed
from autoseg.spec.foreign.place import part_of, place_of, with_part
from autoseg.spec.image import Geometry

LABEL_KINDS = (np.uint8, np.uint16, np.int16, np.int32, np.uint32)
FIELDS = "zarr"  # in the header of a geometry
POSITION, TIME, LEVEL = "position", "time", "level"  # parts of a folder


class ZarrFiles(Format):
    """OME-Zarr of two or three axes of space, with channels.

    A part of a folder, ``CASE.ome.zarr/position=A-1-0&time=3&level=1``, is one of its
    positions, time points (counted from 0) and resolutions (0 is the finest).
    """

    endings: ClassVar[tuple[str, ...]] = (".ome.zarr", ".zarr")
    folders: ClassVar[bool] = True
    probabilities_ending = ".ome.zarr"

    def load(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Array, Geometry]:
        array, geometry = self._opened(path, spacing, unit)
        return np.asarray(array), geometry

    def open(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> tuple[Any, Geometry] | None:
        array, geometry = self._opened(path, spacing, unit)
        return (array, geometry) if is_large(array.size) else None

    def geometry(
        self,
        path: Path,
        spacing: Sequence[float] | None,
        unit: str | None,
        channels: int | None,
    ) -> Geometry:
        return self._opened(path, spacing, unit)[1]

    def read_labels(
        self,
        path: Path,
        *,
        spacing: Sequence[float] | None = None,
        unit: str | None = None,
        lazily: bool = False,
    ) -> tuple[Array, Geometry]:
        how: dict[str, Any] = {"spacing": spacing, "unit": unit, "lazily": lazily}
        return super().read_labels(_drawn(path), **how)

    def cases(self, path: Path) -> list[dict[str, str]]:
        """Return a part for each image that is a case of its own, if there are several.

        Parameters
        ----------
        path : Path
            A folder.

        Returns
        -------
        list of dict
            What `autoseg.spec.foreign.place.with_part` takes; one that asks for nothing
            if the folder holds one image.
        """
        positions = positions_in(path)
        found = []
        for name, folder in (positions or {"": path}).items():
            image = _image_at(folder)
            times = _length(image, "t")
            asked = {POSITION: name} if len(positions) > 1 else {}
            found += [
                asked | ({TIME: str(time)} if times > 1 else {})
                for time in range(times)
            ]
        return found

    def called(self, path: Path) -> tuple[str, ...]:
        asked = part_of(path)
        image = _image_at(_position(place_of(path), asked.get(POSITION)))
        return channels_in(image.folder)

    def write_labels(self, path: Path, labels: Array, geometry: Geometry) -> None:
        stored = as_storable(labels, LABEL_KINDS, path)
        write_labels(path, stored, as_filed(geometry), _version(geometry))

    def name_labels(
        self,
        path: Path,
        names: Mapping[int, str],
        colors: Mapping[str, Sequence[int]],
    ) -> None:
        name_labels(path, names, colors)

    def write_image(self, path: Path, array: Array, geometry: Geometry) -> None:
        write_image(path, array, as_filed(geometry), _version(geometry))

    def _opened(
        self, path: Path, spacing: Sequence[float] | None, unit: str | None
    ) -> tuple[Windowed, Geometry]:
        asked = part_of(path)
        image = _image_at(_position(place_of(path), asked.get(POSITION)))
        number = _number(asked, LEVEL, len(image.levels), path)
        level = image.levels[number]
        source = Chunked(level.folder)
        if len(source.shape) != len(image.axes):
            names = "".join(axis.name for axis in image.axes)
            raise FormatError(
                f"{level.folder} has the shape {source.shape}, and its axes are "
                f"{names}. Write it again."
            )
        kept, array = _arranged(Windowed(source), image, asked, path)
        geometry = _geometry(path, array.shape[1:], image, level, kept, spacing, unit)
        return array, geometry


def _image_at(folder: Path) -> Multiscale:
    """Return the image that a folder is, or the only label image that it has."""
    if kind_of(folder) == ARRAY:
        return _plain(folder)
    found = multiscale_of(folder)
    if found is not None:
        return found
    labels = labels_in(folder)
    if len(labels) == 1:
        return _image_at(next(iter(labels.values())))
    inner = positions_in(folder)
    if len(inner) == 1:
        return _image_at(next(iter(inner.values())))
    if labels or inner:
        what = "label images" if labels else "images"
        raise FormatError(
            f"{folder} holds {len(labels or inner)} {what}: "
            f"{some_of(list(labels or inner))}. Name one of them."
        )
    raise FormatError(
        f"{folder} is a Zarr without an image of OME (`multiscales`). Save it as "
        "OME-Zarr, or name the folder of one of its arrays."
    )


def _drawn(path: Path) -> Path:
    """Return the label image of a folder that also has the image it was drawn on."""
    folder, asked = place_of(path), part_of(path)
    labels = {} if POSITION in asked else labels_in(folder)
    if len(labels) > 1:
        raise FormatError(
            f"{folder} holds {len(labels)} label images: {some_of(list(labels))}. Name "
            "one of them."
        )
    return with_part(next(iter(labels.values())), **asked) if labels else path


def _plain(folder: Path) -> Multiscale:
    """Return an array that is no OME-Zarr, with the axes that its number says."""
    dim = len(Chunked(folder).shape)
    if not 2 <= dim <= len(OLD_AXES):
        raise FormatError(f"{folder} has {dim} axes; autoseg reads 2 to 5.")
    names = {2: "yx", 3: "zyx", 4: "czyx", 5: OLD_AXES}[dim]
    axes = tuple(Axis(name=name) for name in names)
    level = Level(folder=folder, scale=(1.0,) * dim, translation=(0.0,) * dim)
    return Multiscale(folder=folder, axes=axes, levels=(level,), version="0.4")


def _position(folder: Path, name: str | None) -> Path:
    """Return the folder of a position, or the one that there is."""
    if name is None:
        return folder
    found = positions_in(folder)
    if name not in found:
        raise FormatError(
            f"{folder} has no position {name!r}; there are {some_of(list(found))}."
        )
    return found[name]


def _number(asked: dict[str, str], key: str, count: int, path: Path) -> int:
    said = asked.get(key, "0")
    if not said.isdecimal() or int(said) >= count:
        raise FormatError(
            f"{place_of(path)} has no {key} {said!r}; they are counted from 0 to "
            f"{count - 1}."
        )
    return int(said)


def _length(image: Multiscale, name: str) -> int:
    """Return how long an axis is; 1 without such an axis."""
    names = [axis.name for axis in image.axes]
    if name not in names:
        return 1
    return Chunked(image.levels[0].folder).shape[names.index(name)]


def _arranged(
    array: Windowed, image: Multiscale, asked: dict[str, str], path: Path
) -> tuple[list[int], Windowed]:
    """Return which axes are those of space, and the array as (C, *S)."""
    names = [axis.name for axis in image.axes]
    order = [names.index(name) for name in ("z", "y", "x") if name in names]
    if len(order) == 3 and array.shape[order[0]] == 1:
        del order[0]  # one plane is a picture
    kept = list(order)
    channel = names.index("c") if "c" in names else None
    index: list[Any] = [slice(None) if i in order else 0 for i in range(len(names))]
    if "t" in names:
        times = array.shape[names.index("t")]
        if times > 1 and TIME not in asked:
            raise FormatError(
                f"{place_of(path)} has {times} time points, each of which is a case. "
                f"Name one of them, as in {place_of(path).name}/{TIME}=0."
            )
        index[names.index("t")] = _number(asked, TIME, times, path)
    if channel is not None:
        index[channel] = slice(None)
        order.insert(0, channel)
    found = array[tuple(index)].transpose([sorted(order).index(i) for i in order])
    return kept, found if channel is not None else found[None]


def _geometry(
    path: Path,
    shape: tuple[int, ...],
    image: Multiscale,
    level: Level,
    kept: Sequence[int],
    spacing: Sequence[float] | None,
    unit: str | None,
) -> Geometry:
    """Return where voxels are: by dataset.json, or by what the file says."""
    fields = {"version": image.version}
    if spacing is not None:
        given = with_remarks(
            flat_geometry(path, shape, spacing, unit, placed=True), notes=image.notes
        )
        return with_fields(given, FIELDS, fields)
    edges = [level.scale[i] for i in kept]
    words = [image.axes[i].unit for i in kept]
    size = calibrated(edges, words, unit)
    if size is None:
        return with_fields(
            flat_geometry(path, shape, None, None, placed=True), FIELDS, fields
        )
    found = flat_geometry(path, shape, size.spacing, size.unit, placed=True)
    places = [
        level.translation[i] * (now / edge if edge else 1.0)
        for i, edge, now in zip(kept, edges, size.spacing, strict=True)
    ]
    found = replace(found, origin=tuple(places[::-1]))
    found = with_remarks(found, size.remarks, size.notes)
    return with_fields(with_remarks(found, notes=image.notes), FIELDS, fields)


def _version(geometry: Geometry) -> str:
    """Return the version of the image's own file; 0.4 of other files."""
    said = fields_of(geometry, FIELDS)
    version = str((said or {}).get("version", ""))
    return "0.5" if version >= "0.5" else "0.4"
