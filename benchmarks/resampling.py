"""Time of resampling: autoseg's default beside the plain calls of scikit-image.

Both resample the same made arrays in turn, in one process, on one core; the ratio of
the medians is what counts. The plain calls are those of ``exact=True``, which are
nnU-Net's to the bit. Run it with::

    python benchmarks/resampling.py                  # --size 160 --repeats 3
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from autoseg.geometry.argmax import resample_argmax
from autoseg.geometry.resample import (
    resample_image,
    resample_labels,
    resample_outputs,
)
from autoseg.spec.configuration import Resampling

RULE = Resampling()
CUBE = (1.0, 1.0, 1.0)
THICK = (5.0, 1.0, 1.0)
GROWTH = 1.25


def made_image(shape: tuple[int, ...], seed: int = 0) -> Any:
    """Return one channel, (1, *shape) float32, smooth with some noise."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(rng.normal(size=shape).astype(np.float32), 3)
    noise = rng.normal(size=shape).astype(np.float32)
    return (20 * smooth + 0.1 * noise)[None]


def made_labels(shape: tuple[int, ...], values: int, seed: int = 0) -> Any:
    """Return a label map of blobs on a background, as organs on a body."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(seed)
    centers = rng.uniform(0.15, 0.85, (values - 1, 3)) * shape
    grid = np.stack(np.indices(shape), axis=-1).reshape(-1, 3)
    distance, nearest = cKDTree(centers).query(grid)
    labels = np.where(distance < min(shape) / 5, nearest + 1, 0)
    return labels.reshape(shape).astype(np.int16)


def cases(size: int) -> Iterator[tuple[str, Callable[[], Any], Callable[[], Any]]]:
    """Yield what is done, autoseg's way and the plain way."""
    shape, flat = (size,) * 3, (size // 4, 2 * size, 2 * size)
    new, new_flat = _grown(shape), (size // 3, *_grown(flat)[1:])
    volume, slices = made_image(shape), made_image(flat)
    labels = made_labels(shape, 21)
    small, half = (size // 2,) * 3, _grown((size // 2,) * 3)
    logits = np.concatenate([made_image(small, seed) for seed in range(25)])
    logits = logits.astype(np.float16)

    def both(function: Any, *arguments: Any) -> Any:
        return (
            lambda: function(*arguments, RULE),
            lambda: function(*arguments, RULE, exact=True),
        )

    yield "image, cubic", *both(resample_image, volume, new, CUBE, CUBE)
    yield "image, thick slices", *both(resample_image, slices, new_flat, THICK, THICK)
    yield "labels, 21 values", *both(resample_labels, labels, new, CUBE, CUBE)
    yield "outputs, 25 heads", *both(resample_outputs, logits, half, CUBE, CUBE)
    fast, plain = both(resample_outputs, logits, half, CUBE, CUBE)
    yield (
        "outputs to labels",
        lambda: resample_argmax(iter(logits), half, CUBE, CUBE, RULE),
        lambda: plain().argmax(axis=0),
    )


def _grown(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(round(GROWTH * size) for size in shape)


def measured(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor's seconds of a call, and what it returned."""
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def main() -> None:
    """Print a table of seconds, ratios and differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=160, help="edge of the volume")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    print(f"{'':22}{'autoseg s':>11}{'library s':>11}{'ratio':>8}  difference")
    for name, fast, plain in cases(arguments.size):
        ours, theirs = [], []
        fast()  # the first call makes matrices and imports
        for _ in range(arguments.repeats):
            seconds, mine = measured(fast)
            ours.append(seconds)
            seconds, reference = measured(plain)
            theirs.append(seconds)
        a, b = statistics.median(ours), statistics.median(theirs)
        print(
            f"{name:22}{a:11.3f}{b:11.3f}{b / a:8.1f}  {_difference(mine, reference)}"
        )


def _difference(mine: Any, reference: Any) -> str:
    if mine.dtype.kind == "f":
        wide = reference.astype(np.float64)
        share = np.abs(mine - wide).max() / np.ptp(wide)
        return f"{share:.1e} of the range"
    return f"{(mine != reference).mean():.1e} of the voxels"


if __name__ == "__main__":
    main()
