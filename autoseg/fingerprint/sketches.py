"""Sketches of an image's channels, also of one that is in its file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.fingerprint.intensity import Sketch
from autoseg.geometry.crop import nonzero
from autoseg.geometry.mapped import in_rows, is_mapped, let_go
from autoseg.spec.image import Image


def sketches_of(array: Any, region: Any) -> tuple[list[Sketch], bool]:
    """Return the sketch of each channel's values in a region.

    Parameters
    ----------
    array : ndarray or Windowed, shape (C, *S)
        An image; one that is in a file is read part by part.
    region : ndarray or Windowed of bool, shape S, or None
        None: wherever a channel is not 0.

    Returns
    -------
    list of Sketch
        One for each channel.
    bool
        Whether the region is empty.
    """
    if not is_mapped(array) and not is_mapped(region):
        inside = (array != 0).any(0) if region is None else np.asarray(region)
        return [Sketch.of(channel[inside]) for channel in array], not inside.any()
    seen = False

    def parts(channel: int) -> Iterator[NDArray[Any]]:
        nonlocal seen
        for rows, values in in_rows(array[channel]):
            if region is None:
                inside = nonzero(np.asarray(array[:, rows]))
            else:
                inside = np.asarray(region[rows])
                let_go(region)
            seen = seen or bool(inside.any())
            yield values[inside]

    found = [Sketch.of_parts(parts(channel)) for channel in range(len(array))]
    return found, not seen


def must_be_finite(image: Image) -> None:
    """Raise FormatError if an image has values that are NaN or infinite."""
    if image.array.dtype.kind in "iub":
        return
    # One NaN or infinity makes the sum one, which is quicker than looking at each.
    sums = (np.sum(p, dtype=np.float64) for c in image.array for _, p in in_rows(c))
    if not np.isfinite(list(sums)).all():
        fine = (np.isfinite(p) for c in image.array for _, p in in_rows(c))
        bad = image.array.size - sum(int(np.count_nonzero(p)) for p in fine)
        raise FormatError(
            f"{image.path} has {bad} of {image.array.size} values that are NaN or "
            "infinite. Replace them in the file, for example by 0."
        )
