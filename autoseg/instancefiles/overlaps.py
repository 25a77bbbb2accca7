"""``CASE_overlaps.json``: what a map of ids hides of objects that overlap.

Beside the map, it has the whole mask of each object that shares voxels with another
one, as run lengths in its box.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.atomic import atomically
from autoseg.errors import FormatError
from autoseg.instancefiles._listing import write_listing
from autoseg.spec.arrays.overlaps import Mask, in_layers
from autoseg.spec.foreign.json import load_json
from autoseg.spec.instances import Instances

OVERLAPS = "_overlaps.json"  # behind a case's id


def write_overlaps(path: Path, instances: Instances) -> None:
    """Write the whole masks of objects that overlap.

    Parameters
    ----------
    path : Path
        The file, written atomically; removed if nothing overlaps.
    instances : Instances
        With the map that it lies beside.
    """
    if not instances.masks:
        path.unlink(missing_ok=True)  # of a prediction before
        return

    def entries() -> Iterator[Mapping[str, Any]]:
        for i, mask in instances.masks.items():
            yield {
                "id": int(i),
                "start": list(mask.start),
                "shape": list(mask.inside.shape),
                "counts": _runs(mask.inside.ravel()),
            }

    write_listing(path, {"shape": list(instances.shape)}, "objects", entries())


def write_layers(path: Path, instances: Instances, spacing: Sequence[float]) -> None:
    """Write all objects whole, as maps of ids of which none overlaps with itself.

    Parameters
    ----------
    path : Path
        A TIFF, written atomically; its pages are the maps, of volumes their planes.
    instances : Instances
        Each object is in one map, with the id that it has in the label map.
    spacing : sequence of float, length D
        Edge of a voxel.
    """
    from tifffile import imwrite

    arranged = instances.arranged
    layers = np.maximum(in_layers(arranged.codes, arranged.shares), 0)
    wide = int(layers.max(initial=0)) > np.iinfo(np.uint16).max
    with atomically(path) as temporary:
        imwrite(
            temporary,
            layers.astype(np.uint32 if wide else np.uint16),
            compression="zlib",
            photometric="minisblack",
            resolution=(1 / spacing[-1], 1 / spacing[-2]),
            metadata={"axes": f"Q{'ZYX'[-len(spacing) :]}"},
        )


def with_overlaps(path: Path, instances: Instances) -> Instances:
    """Return the instances of a map with what a file beside it says of overlaps.

    Parameters
    ----------
    path : Path
        The file, which need not be there.
    instances : Instances
        Of the map.

    Raises
    ------
    FormatError
        If it is no such file, or of another map.
    """
    if not path.is_file():
        return instances
    raw = load_json(path)
    try:
        shape = tuple(int(size) for size in raw["shape"])
        masks = {int(one["id"]): _mask(one, shape) for one in raw["objects"]}
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"{path} is not as autoseg writes it ({error!r}). Predict again, or take "
            "the file away: then each voxel is of the object on top."
        ) from None
    hidden = [
        i for i, mask in masks.items() if i < 1 or _lacks(instances.labels, i, mask)
    ]
    if shape != instances.shape or hidden:
        raise FormatError(
            f"{path} does not belong to the map beside it: it is of shape {shape}, the "
            f"map of {instances.shape}"
            + (f", and object {hidden[0]} is elsewhere" if hidden else "")
            + ". Write both again, or take the file away."
        )
    return Instances(instances.labels, instances.classes, instances.scores, masks)


def _lacks(labels: NDArray[Any], i: int, mask: Mask) -> bool:
    """Return whether a mask reaches out of a map, or lies where nothing is."""
    if any(part.stop > size for part, size in zip(mask.box, labels.shape, strict=True)):
        return True
    return bool((labels[mask.box][mask.inside] == 0).any())


def _runs(flat: NDArray[np.bool_]) -> list[int]:
    """Return lengths of runs outside, inside, outside, ... of a flat mask."""
    edges = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0, append=0))
    ends = [*edges.tolist(), flat.size]
    return [int(n) for n in np.diff([0, *ends])]


def _mask(one: Mapping[str, Any], grid: tuple[int, ...]) -> Mask:
    shape = tuple(int(size) for size in one["shape"])
    start = tuple(int(low) for low in one["start"])
    counts = np.array(one["counts"], np.int64)
    fits = len(shape) == len(start) == len(grid) and min(shape, default=0) > 0
    if not fits or min(start) < 0 or counts.min(initial=0) < 0:
        raise ValueError(f"object {one['id']} has a box {start}, {shape}")
    if any(size > most for size, most in zip(shape, grid, strict=True)):
        raise ValueError(f"object {one['id']} has a box {start}, {shape}")
    if counts.sum() != np.prod(shape):
        raise ValueError(f"object {one['id']} has runs of {counts.sum()} voxels")
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
    return Mask(start, flat.reshape(shape))
