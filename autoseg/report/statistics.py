"""Numbers of every region of a prediction, in physical units, and tables of them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoseg.evaluate.numbers import plain
from autoseg.spec.foreign.cells import text_cell
from autoseg.spec.image import Geometry, Image
from autoseg.spec.json import dumps, write_text

Array = NDArray[Any]
Row = dict[str, Any]

STATISTICS = "statistics"  # .csv and .json
AXES = "xyz"


class Region(NamedTuple):
    """One thing of a prediction.

    Parameters
    ----------
    name : str
        Its class.
    instance : int or None
        Its id, if it has one.
    mask : ndarray of bool
        In a box around it; empty if it is not there.
    start : tuple of int, length D
        First voxel of the box.
    """

    name: str
    instance: int | None
    mask: Array
    start: tuple[int, ...]

    @classmethod
    def of(cls, name: str, mask: Array) -> Region:
        """Return all of a mask of shape S as one region, cut to its box."""
        from scipy.ndimage import find_objects

        box = find_objects(mask.astype(np.uint8))
        if not box:
            nothing = np.zeros((0,) * mask.ndim, bool)
            return cls(name, None, nothing, (0,) * mask.ndim)
        return cls(name, None, mask[box[0]], tuple(part.start for part in box[0]))


def measure_regions(regions: Iterable[Region], image: Image) -> list[Row]:
    """Measure regions.

    Parameters
    ----------
    regions : iterable of Region
        On the grid of the image.
    image : Image
        Its channels' means are taken; its geometry says where things are.

    Returns
    -------
    list of dict
        ``class``; ``instance``, its id, or None; ``voxels``; ``volume`` (in 2-D an
        area) in the unit of the spacing to the D; ``mean`` of each channel;
        ``centroid`` and the ends of the bounding box, ``from`` and ``to``, in physical
        coordinates (x, y, z), ITK's frame: voxels' edges, not their centers. A class
        that is not there has volume 0 and no place.
    """
    rows = []
    for one in regions:
        measured = _measure(one.mask, one.start, image)
        rows.append({"class": one.name, "instance": one.instance, **measured})
    return rows


def _measure(mask: Array, start: tuple[int, ...], image: Image) -> Row:
    geometry = image.geometry
    voxels = int(np.count_nonzero(mask))
    if not voxels:
        nowhere = [math.nan] * geometry.dim
        means = [math.nan] * len(image.array)
        return {"voxels": 0, "volume": 0.0, "mean": means, "centroid": nowhere,
                "from": nowhere, "to": nowhere}  # fmt: skip
    box = tuple(
        slice(low, low + size) for low, size in zip(start, mask.shape, strict=True)
    )
    center = [
        low + float(np.arange(size) @ _along(mask, axis)) / voxels
        for axis, (low, size) in enumerate(zip(start, mask.shape, strict=True))
    ]
    ends = np.array([[part.start - 0.5, part.stop - 0.5] for part in box])
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1)
    places = [
        place_of(corner, geometry) for corner in corners.reshape(-1, geometry.dim)
    ]
    return {
        "voxels": voxels,
        "volume": voxels * math.prod(geometry.spacing),
        "mean": [float(channel[box][mask].mean()) for channel in image.array],
        "centroid": place_of(center, geometry),
        "from": np.min(places, axis=0).tolist(),
        "to": np.max(places, axis=0).tolist(),
    }


def _along(mask: Array, axis: int) -> NDArray[np.int64]:
    others = tuple(other for other in range(mask.ndim) if other != axis)
    return np.asarray(np.count_nonzero(mask, axis=others))


def place_of(index: Sequence[float] | Array, geometry: Geometry) -> list[float]:
    """Return where a voxel index, slowest axis first, is in ITK's frame: (x, y, z)."""
    direction = np.reshape(geometry.direction, (geometry.dim, geometry.dim))
    steps = np.multiply(index, geometry.spacing)[::-1]
    return [float(v) for v in np.asarray(geometry.origin) + direction @ steps]


def write_regions(
    folder: Path,
    cases: Mapping[str, Sequence[Row]],
    *,
    channels: Sequence[str],
    unit: str,
    dim: int,
) -> tuple[Path, Path]:
    """Write what was measured as CSV and JSON, atomically.

    Parameters
    ----------
    folder : Path
        Where ``statistics.csv`` and ``statistics.json`` go.
    cases : mapping of str to sequence of dict
        By case, what `measure_regions` gave.
    channels : sequence of str
        Names of the image's channels.
    unit : str
        Of lengths.
    dim : int
        Number of axes.

    Returns
    -------
    tuple of Path
        Both files.
    """
    axes = AXES[:dim]
    places = [f"{what}_{axis}_{unit}" for what in ("centroid", "from", "to")
              for axis in axes]  # fmt: skip
    heading = ["class", "instance", "voxels", f"volume_{unit}{dim}"]
    heading += [f"mean_{name}" for name in channels] + places

    def cells(row: Row) -> list[Any]:
        instance = "" if row["instance"] is None else row["instance"]
        numbers = [row["volume"], *row["mean"], *row["centroid"], *row["from"],
                   *row["to"]]  # fmt: skip
        return [row["class"], instance, row["voxels"], *map(shown, numbers)]

    return write_table(folder, cases, heading, cells, channels, unit)


def write_table(
    folder: Path,
    cases: Mapping[str, Sequence[Row]],
    heading: Sequence[str],
    cells: Callable[[Row], list[Any]],
    channels: Sequence[str],
    unit: str,
) -> tuple[Path, Path]:
    """Write rows as CSV and JSON, atomically.

    Parameters
    ----------
    folder : Path
        Where ``statistics.csv`` and ``statistics.json`` go.
    cases : mapping of str to sequence of dict
        Rows by case.
    heading : sequence of str
        Columns after that of the case.
    cells : callable
        Returns a row's cells.
    channels : sequence of str
        Names of the image's channels.
    unit : str
        Of lengths.

    Returns
    -------
    tuple of Path
        Both files.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", *heading])
    for case, rows in cases.items():
        writer.writerows(
            [text_cell(case), text_cell(first), *rest]
            for first, *rest in map(cells, rows)
        )
    table = folder / f"{STATISTICS}.csv"
    write_text(table, text.getvalue())
    content = {"unit": unit, "channels": list(channels), "cases": dict(cases)}
    write_text(table.with_suffix(".json"), dumps(plain(content)))
    return table, table.with_suffix(".json")


def shown(value: float) -> str:
    """Return a number with six digits; empty if it is not defined."""
    return "" if math.isnan(value) else f"{value:.6g}"
