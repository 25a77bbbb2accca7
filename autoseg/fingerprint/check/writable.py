"""Whether predictions can hold the label values that a data set names."""

from __future__ import annotations

import tempfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from autoseg.errors import FormatError
from autoseg.fingerprint.check.problem import Problem
from autoseg.formats.base import find_format, known_endings, match_ending
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry

SURE = range(256)  # values that any format holds


def unwritable(dataset: Dataset, values: Collection[int], axes: int) -> Problem | None:
    """Return that a file of predictions cannot hold the values, None if it can.

    Parameters
    ----------
    dataset : Dataset
        Its annotations' ending is that of predictions.
    values : collection of int
        Of all classes, as they are in files.
    axes : int
        Of the images.
    """
    ending = dataset.annotation_ending
    low, high = min(values, default=0), max(values, default=0)
    if (low in SURE and high in SURE) or not match_ending(ending, known_endings()):
        return None
    shape = (*(1,) * (axes - 1), 2)
    geometry = Geometry(shape=shape, spacing=(1.0,) * axes, unit="mm")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{ending}"
        try:
            labels = np.array([low, high], np.int64).reshape(shape)
            find_format(path, dataset.format).write_labels(path, labels, geometry)
        except FormatError:
            return Problem(
                "error",
                dataset.folder / "dataset.json",
                f"Predictions are written as {ending}, and such a file cannot hold "
                f"the values of `labels`, from {low} to {high}.",
                'Say another "label_ending", such as ".nii.gz" or ".tif", and write '
                "annotations so, or give the classes smaller values.",
            )
    return None
