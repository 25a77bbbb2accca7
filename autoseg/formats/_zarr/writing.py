"""Write OME-Zarr of versions 0.4 and 0.5: several resolutions, labels with colors.

A label map is the only label image of its folder, and at the same time the image of it:
both name the same arrays, so that viewers of either show it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.atomic import atomically
from autoseg.errors import FormatError
from autoseg.formats._zarr.arrays import library
from autoseg.formats._zarr.metadata import attributes_of
from autoseg.geometry.mapped import let_go
from autoseg.spec.foreign.looks import usual_color
from autoseg.spec.image import Geometry

Array = NDArray[Any]

NAME = "prediction"  # of the label image
CHUNK = {2: (1024, 1024), 3: (32, 256, 256)}
SMALLEST = 256  # edge of the coarsest resolution, about
MOST_LEVELS = 8
UNITS = {"um": "micrometer", "mm": "millimeter", "px": None}
MOST_COLORS = 256  # label values that get a color of their own
AT_ONCE = 2**24  # numbers written at once


def write_labels(path: Path, labels: Array, geometry: Geometry, version: str) -> None:
    """Write a label map of shape S as a folder, atomically.

    Parameters
    ----------
    path : Path
        The folder.
    labels : ndarray of int, shape S
        Its values stay as they are in all resolutions.
    geometry : Geometry
        Of the file.
    version : str
        ``"0.4"`` or ``"0.5"``.
    """
    with atomically(path) as temporary:
        inner = temporary / "labels" / NAME
        levels = _write_levels(inner, labels[None], geometry, version, mean=False)
        _group(temporary / "labels", version, {"labels": [NAME]})
        colors = [
            {"label-value": value, "rgba": [*usual_color(number), 255]}
            for number, value in enumerate(_values(labels))
        ]
        about = {"colors": colors, "source": {"image": "../../"}}
        scales = _multiscales(levels, geometry, version, False, NAME)
        _group(inner, version, {"multiscales": scales, "image-label": about})
        outside = [{**one, "path": f"labels/{NAME}/{one['path']}"} for one in levels]
        scales = _multiscales(outside, geometry, version, False, path.name)
        _group(temporary, version, {"multiscales": scales})


def write_image(path: Path, array: Array, geometry: Geometry, version: str) -> None:
    """Write an image (C, *S) or (*S) of float32 as a folder, atomically."""
    channels = array.ndim > geometry.dim
    array = array if channels else array[None]
    with atomically(path) as temporary:
        levels = _write_levels(
            temporary, array, geometry, version, mean=True, channels=channels
        )
        scales = _multiscales(levels, geometry, version, channels, path.name)
        _group(temporary, version, {"multiscales": scales})


def name_labels(
    path: Path, names: Mapping[int, str], colors: Mapping[str, Sequence[int]]
) -> None:
    """Write names and colors of label values into a folder that `write_labels` made.

    Parameters
    ----------
    path : Path
        The folder.
    names : mapping of int to str
        By value, background left out.
    colors : mapping of str to sequence of int
        By name: red, green and blue, 0 to 255.
    """
    inner = path / "labels" / NAME
    attributes, version = attributes_of(inner)
    shown = [
        {"label-value": value, "rgba": [*colors[name], 255]}
        for value, name in sorted(names.items())
    ]
    properties = [{"label-value": v, "class": n} for v, n in sorted(names.items())]
    about = {**attributes["image-label"], "colors": shown, "properties": properties}
    _group(inner, version, {**attributes, "image-label": about})


def _write_levels(
    folder: Path,
    array: Array,
    geometry: Geometry,
    version: str,
    *,
    mean: bool,
    channels: bool = False,
) -> list[dict[str, Any]]:
    """Write (C, *S) in all resolutions; return what `datasets` says of them."""
    if array.shape[1:] != geometry.shape:
        raise FormatError(
            f"{folder}: an array of shape {array.shape} does not fit the geometry's "
            f"{geometry.shape}."
        )
    lead = int(channels)
    steps, spacing = [1] * geometry.dim, list(geometry.spacing)
    place = list(geometry.origin[::-1])
    source: Any = array if channels else array[0]
    found: list[dict[str, Any]] = []
    while True:
        name = str(len(found))
        made = _create(folder / name, source.shape[lead:], array, lead, version, steps)
        if not found:
            _copy(source, made, lead)
        else:
            _shrink(source, made, lead, steps, mean)
        transformations = [{"type": "scale", "scale": [1.0] * lead + spacing}]
        if any(place):
            whole = [0.0] * lead + place
            transformations.append({"type": "translation", "translation": whole})
        found.append({"path": name, "coordinateTransformations": transformations})
        shape = made.shape[lead:]
        if max(shape[-2:]) <= SMALLEST or len(found) == MOST_LEVELS:
            return found
        # Thick slices stay until the others are as coarse.
        finest = min(spacing)
        steps = [
            2 if edge < 2 * finest and size > 1 else 1
            for edge, size in zip(spacing, shape, strict=True)
        ]
        if mean:
            place = [
                p + edge * (step - 1) / 2
                for p, edge, step in zip(place, spacing, steps, strict=True)
            ]
        spacing = [edge * step for edge, step in zip(spacing, steps, strict=True)]
        source = made


def _create(
    folder: Path,
    shape: Sequence[int],
    array: Array,
    lead: int,
    version: str,
    steps: Sequence[int],
) -> Any:
    zarr = library()
    new = [-(-size // step) for size, step in zip(shape, steps, strict=True)]
    chunk = [min(a, b) for a, b in zip(CHUNK[len(new)], new, strict=True)]
    how: dict[str, Any] = {
        "shape": (*array.shape[:lead], *new),
        "chunks": (*(1,) * lead, *chunk),
        "dtype": array.dtype.newbyteorder("="),
        "fill_value": 0,
    }
    if version == "0.5":
        names = "czyx"[-len(new) - lead :] if len(new) == 3 else "cyx"[-2 - lead :]
        codec = zarr.codecs.BloscCodec(cname="zstd", clevel=3, shuffle="shuffle")
        how |= {"zarr_format": 3, "compressors": codec, "dimension_names": list(names)}
    else:
        encoding = {"name": "v2", "separator": "/"}
        how |= {"zarr_format": 2, "chunk_key_encoding": encoding}
    folder.parent.mkdir(parents=True, exist_ok=True)
    return zarr.create_array(store=zarr.storage.LocalStore(folder), **how)


def _copy(source: Any, made: Any, lead: int) -> None:
    for box in _boxes(made, lead):
        made[box] = np.ascontiguousarray(source[box])
        let_go(source)


def _shrink(
    source: Any, made: Any, lead: int, space: Sequence[int], mean: bool
) -> None:
    """Fill the next resolution from the one before."""
    steps = [1] * lead + list(space)
    for box in _boxes(made, lead):
        wide = tuple(
            slice(part.start * step, min(part.stop * step, size))
            for part, step, size in zip(box, steps, source.shape, strict=True)
        )
        fine = np.asarray(source[wide])
        if not mean:
            made[box] = fine[tuple(slice(None, None, step) for step in steps)]
            continue
        for axis, step in enumerate(steps):
            if step > 1:
                starts = np.arange(0, fine.shape[axis], step)
                sums = np.add.reduceat(fine, starts, axis=axis, dtype=np.float32)
                counts = np.diff([*starts, fine.shape[axis]]).astype(np.float32)
                along = [1] * fine.ndim
                along[axis] = -1
                fine = sums / counts.reshape(along)
        made[box] = fine


def _boxes(made: Any, lead: int) -> Iterator[tuple[slice, ...]]:
    """Yield boxes of whole rows of chunks, along the first axis of space."""
    row = math.prod(made.shape[lead + 1 :])
    step = made.chunks[lead] * max(1, AT_ONCE // max(1, row * made.chunks[lead]))
    rest = tuple(slice(0, size) for size in made.shape[lead + 1 :])
    channels = [(slice(c, c + 1),) for c in range(made.shape[0])] if lead else [()]
    for channel in channels:
        for start in range(0, made.shape[lead], step):
            rows = slice(start, min(start + step, made.shape[lead]))
            yield (*channel, rows, *rest)


def _multiscales(
    levels: Sequence[Mapping[str, Any]],
    geometry: Geometry,
    version: str,
    channels: bool,
    name: str,
) -> list[dict[str, Any]]:
    unit = UNITS[geometry.unit]
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}] if channels else []
    for letter in "zyx"[-geometry.dim :]:
        axes.append({"name": letter, "type": "space"})
        if unit is not None:
            axes[-1]["unit"] = unit
    found: dict[str, Any] = {"name": name, "axes": axes, "datasets": list(levels)}
    return [found if version == "0.5" else {"version": version, **found}]


def _group(folder: Path, version: str, attributes: Mapping[str, Any]) -> None:
    """Write the metadata of a group."""
    folder.mkdir(parents=True, exist_ok=True)
    if version == "0.5":
        ome = {"version": version, **attributes}
        content = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}
        _write(folder / "zarr.json", content)
        return
    if "image-label" in attributes:
        about = {"version": version, **attributes["image-label"]}
        attributes = {**attributes, "image-label": about}
    _write(folder / ".zgroup", {"zarr_format": 2})
    _write(folder / ".zattrs", attributes)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _values(labels: Array) -> list[int]:
    """Return the values over 0 that occur, if they are few enough for colors."""
    found: set[int] = set()
    for row in labels:
        found.update(np.unique(row).tolist())
        if len(found) > MOST_COLORS:
            let_go(labels)
            return []
    let_go(labels)
    return sorted(value for value in found if value > 0)
