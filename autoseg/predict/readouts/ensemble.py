"""Average what several models say about an image, and decide by thresholds.

Each model's outputs go to a compressed file in 8 bits, in the image's own grid, so that
models of any grid can be averaged and memory does not grow with classes times volume.
Then labels are decided some rows at a time. `autoseg find_best` judges by the very same
numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError
from autoseg.model.postprocessing import members_of
from autoseg.predict.readouts._rows import PIECE
from autoseg.predict.readouts.probabilities import LEVELS
from autoseg.predict.readouts.sight import Sink
from autoseg.preprocess.placement import Placement
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task

Array = NDArray[Any]


def apart(arrays: Sequence[Any]) -> NDArray[np.float32]:
    """Return how far models disagree: the variance of their outputs, summed.

    With the mean variance within the models this is the variance of all opinions (law
    of total variance), every model counting the same: see
    `autoseg.predict.windows.disagreement`.

    Parameters
    ----------
    arrays : sequence of array of uint8, shape (K, *S)
        Outputs of each model.

    Returns
    -------
    ndarray of float32, shape (*S)
        0 to 1, for outputs that sum to 1.
    """
    shape = tuple(arrays[0].shape)
    found = np.zeros(shape[1:], np.float32)
    for rows in _pieces(shape):
        shares = [array[:, rows].astype(np.float32) / LEVELS for array in arrays]
        mean = sum(shares) / len(shares)
        found[rows] = sum(((s - mean) ** 2).sum(axis=0) for s in shares) / len(shares)
    return found


def open_outputs(path: Path) -> Any:
    """Open the outputs of one image, uint8 (K, *S); slices of it are arrays."""
    import blosc2

    return blosc2.open(str(path), mode="r")


def decide(arrays: Sequence[Any], task: Task, thresholds: Mapping[str, float]) -> Array:
    """Return the labels that averaged outputs stand for.

    Parameters
    ----------
    arrays : sequence of array of uint8, shape (K, *S)
        Outputs of each model; anything that takes slices.
    task : Task
        Decides by single voxels.
    thresholds : mapping of str to float
        By class.

    Returns
    -------
    ndarray of int16, shape (*S)
        Inner labels; of equally probable ones the first.

    Raises
    ------
    UsageError
        If the task looks around to decide.
    """
    if task.pointwise is None:
        raise UsageError("only tasks that decide voxel by voxel can be averaged.")
    shape = tuple(arrays[0].shape)
    labels = np.zeros(shape[1:], dtype=np.int16)
    for rows in _pieces(shape):
        sums = arrays[0][:, rows].astype(np.float32)
        for other in arrays[1:]:
            sums += other[:, rows]
        if task.pointwise.painted is None:
            labels[rows] = _most_probable(sums, task, thresholds)
        else:
            whole = LEVELS * len(arrays)
            labels[rows] = _painted(sums / whole, task, thresholds)
    return labels


def _pieces(shape: Sequence[int]) -> list[slice]:
    """Cut the first axis of space into pieces of bounded size."""
    row = max(1, math.prod(shape) // max(1, shape[1]))
    step = max(1, PIECE // row)
    return [slice(low, min(low + step, shape[1])) for low in range(0, shape[1], step)]


def _most_probable(sums: Array, task: Any, thresholds: Mapping[str, float]) -> Array:
    labels = np.argmax(sums, axis=0).astype(np.int16)
    if not thresholds:
        result: Array = labels
        return result
    likeliest = 1 + np.argmax(sums[1:], axis=0)
    for name, threshold in thresholds.items():
        (label,) = members_of(task, name)
        # Its share of both, p / (p + background), is over the threshold. Only its own
        # voxels are asked about, so that thresholds of classes do not meet.
        claims = sums[label] * ((1 - threshold) / threshold) > sums[0]
        own = likeliest == label
        labels[own & claims] = label
        labels[own & ~claims] = 0
    result = labels
    return result


def _painted(means: Array, task: Any, thresholds: Mapping[str, float]) -> Array:
    labels = np.zeros(means.shape[1:], dtype=np.int16)
    painted = task.pointwise.painted
    for channel, name, value in zip(means, task.classes, painted, strict=True):
        labels[channel > thresholds.get(name, 0.5)] = value
    return labels


def hand_on(arrays: Sequence[Any], geometry: Geometry, sink: Sink) -> None:
    """Give averaged outputs to a sink, on the image's own grid.

    Parameters
    ----------
    arrays : sequence of array of uint8, shape (K, *S)
        Outputs of each model.
    geometry : Geometry
        Of the image.
    sink : Sink
        Takes them as float32.
    """
    axes = tuple(range(len(geometry.shape)))
    sink.open(
        Placement(
            geometry=geometry,
            orientation=None,
            transpose=axes,
            box=tuple((0, size) for size in geometry.shape),
            shape_before_crop=geometry.shape,
            cropped_shape=geometry.shape,
            shape=geometry.shape,
            cropped_spacing=geometry.spacing,
            spacing=geometry.spacing,
        )
    )
    for rows, mean in averaged(arrays):
        sink.put(mean, 0, rows.start)


def averaged(arrays: Sequence[Any]) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield averaged outputs, some rows of the first axis of space after the other.

    Parameters
    ----------
    arrays : sequence of array of uint8, shape (K, *S)
        Outputs of each model.

    Yields
    ------
    rows : slice
        Which rows.
    mean : ndarray of float32, shape (K, *rows)
        From 0 to 1.
    """
    for rows in _pieces(tuple(arrays[0].shape)):
        mean = sum(array[:, rows].astype(np.float32) for array in arrays)
        yield rows, np.asarray(mean, np.float32) / np.float32(LEVELS * len(arrays))
