"""Numbers of every region of a prediction, in physical units."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.evaluate.summary import plain
from autoseg.spec.image import Geometry, Image
from autoseg.spec.instances import Instances
from autoseg.spec.json import dumps, write_text
from autoseg.spec.points import STATUS, Points

Array = NDArray[Any]
Row = dict[str, Any]

POINT_DETAILS = ("score", "error_p50", "error_p95")
STATISTICS = "statistics"  # .csv and .json
AXES = "xyz"


def measure_regions(annotation: Any, task: Any, image: Image) -> list[Row]:
    """Measure every class of a label map, or every object of an instance map.

    Parameters
    ----------
    annotation : inner annotation
        As the task's `read` gives it, on the grid of the image.
    task : Task
        Says what classes there are.
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

    Raises
    ------
    UsageError
        If the task has points: they are their own numbers.
    """
    rows = []
    for name, instance, mask, start in _regions(annotation, task):
        rows.append(
            {"class": name, "instance": instance, **_measure(mask, start, image)}
        )
    return rows


def measure_points(points: Points, task: Any, image: Image) -> list[Row]:
    """Say of every landmark where it is and how far to trust it.

    Parameters
    ----------
    points : Points
        A prediction, in voxels of the image.
    task : Task
        Says which landmarks there are.
    image : Image
        Its channels are looked at where the points are.

    Returns
    -------
    list of dict
        ``class``, the landmark; ``status``; ``score``, ``error_p50`` and ``error_p95``
        as predicted; ``value`` of each channel in the voxel of the point; ``place`` in
        physical coordinates (x, y, z), ITK's frame. What is not known is NaN.
    """
    found = points.ordered(tuple(task.classes))
    last = np.array(image.geometry.shape) - 1
    rows = []
    for number, name in enumerate(found.names):
        at = found.coordinates[number]
        there = bool(found.present[number])
        voxel = tuple(np.clip(np.rint(np.where(there, at, 0)).astype(int), 0, last))
        details = {
            key: float(found.details[key][number]) if key in found.details else math.nan
            for key in POINT_DETAILS
        }
        nowhere = [math.nan] * image.geometry.dim
        rows.append(
            {
                "class": name,
                "status": STATUS[found.status[number]],
                **details,
                "value": [
                    float(channel[voxel]) if there else math.nan
                    for channel in image.array
                ],
                "place": _place(at, image.geometry) if there else nowhere,
            }
        )
    return rows


def _regions(
    annotation: Any, task: Any
) -> Iterator[tuple[str, int | None, Array, tuple[int, ...]]]:
    """Yield class, id, mask and the mask's first voxel of each region."""
    from scipy.ndimage import find_objects

    if task.kind == "points":
        raise UsageError(
            "landmarks have no volume; their places are in the predictions themselves."
        )
    if isinstance(annotation, Instances):
        ids = annotation.labels
        for number, box in enumerate(find_objects(ids), start=1):
            if box is not None:
                kind = annotation.class_of(number)
                name = task.class_names.get(kind, str(kind))
                start = tuple(part.start for part in box)
                yield name, number, ids[box] == number, start
        return
    labels = np.asarray(annotation)
    for name in task.classes:
        mask = np.isin(labels, task.members(name))
        box = find_objects(mask.astype(np.uint8))
        if box:
            start = tuple(part.start for part in box[0])
            yield name, None, mask[box[0]], start
        else:
            yield name, None, np.zeros((0,) * labels.ndim, bool), (0,) * labels.ndim


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
    places = [_place(corner, geometry) for corner in corners.reshape(-1, geometry.dim)]
    return {
        "voxels": voxels,
        "volume": voxels * math.prod(geometry.spacing),
        "mean": [float(channel[box][mask].mean()) for channel in image.array],
        "centroid": _place(center, geometry),
        "from": np.min(places, axis=0).tolist(),
        "to": np.max(places, axis=0).tolist(),
    }


def _along(mask: Array, axis: int) -> NDArray[np.int64]:
    others = tuple(other for other in range(mask.ndim) if other != axis)
    return np.asarray(np.count_nonzero(mask, axis=others))


def _place(index: Sequence[float] | Array, geometry: Geometry) -> list[float]:
    """Return where a voxel index, slowest axis first, is in ITK's frame: (x, y, z)."""
    direction = np.reshape(geometry.direction, (geometry.dim, geometry.dim))
    steps = np.multiply(index, geometry.spacing)[::-1]
    return [float(v) for v in np.asarray(geometry.origin) + direction @ steps]


def write_statistics(
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
        return [row["class"], instance, row["voxels"], *map(_shown, numbers)]

    return _write(folder, cases, heading, cells, channels, unit)


def write_point_statistics(
    folder: Path,
    cases: Mapping[str, Sequence[Row]],
    *,
    channels: Sequence[str],
    unit: str,
    dim: int,
) -> tuple[Path, Path]:
    """Write what `measure_points` gave as CSV and JSON; see `write_statistics`."""
    heading = ["landmark", "status", "score", f"error_p50_{unit}", f"error_p95_{unit}"]
    heading += [f"{axis}_{unit}" for axis in AXES[:dim]]
    heading += [f"value_{name}" for name in channels]

    def cells(row: Row) -> list[Any]:
        numbers = [*(row[key] for key in POINT_DETAILS), *row["place"], *row["value"]]
        return [row["class"], row["status"], *map(_shown, numbers)]

    return _write(folder, cases, heading, cells, channels, unit)


def _shown(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6g}"


def _write(
    folder: Path,
    cases: Mapping[str, Sequence[Row]],
    heading: Sequence[str],
    cells: Callable[[Row], list[Any]],
    channels: Sequence[str],
    unit: str,
) -> tuple[Path, Path]:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["case", *heading])
    for case, rows in cases.items():
        writer.writerows([case, *cells(row)] for row in rows)
    table = folder / f"{STATISTICS}.csv"
    write_text(table, text.getvalue())
    content = {"unit": unit, "channels": list(channels), "cases": dict(cases)}
    write_text(table.with_suffix(".json"), dumps(plain(content)))
    return table, table.with_suffix(".json")
