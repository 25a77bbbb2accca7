"""Error of each decoder on simulated heatmaps, in voxels.

A Gaussian of height 0.5 to 1 at a random place between the voxels, with noise that is
correlated as a network's is. Each decoder gets the same windows. Beside autoseg's stand
the integer peak and the quarter shift of hourglass networks. Run it with::

    python benchmarks/landmark_decoding.py            # --repeats 400 --correlation 1.4

With ``--memory`` it decodes 133 landmarks of a 512-cube that comes row by row instead,
and prints the memory that this took above the blocks.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from autoseg.landmarks.decoders import DECODERS, decode, reach
from autoseg.landmarks.keeper import PeakKeeper

EDGE = 33
SEARCHED = 8  # voxels to each side: where noise can pass for the peak
CASES = [  # dimension, sigma in voxels, noise
    (2, 3.0, 0.0),
    (2, 3.0, 0.03),
    (2, 5.0, 0.03),
    (3, 3.0, 0.0),
    (3, 3.0, 0.03),
    (3, 5.0, 0.03),
    (3, 1.5, 0.08),
    (2, 1.0, 0.05),
    (3, 1.0, 0.05),
]


def simulate(
    dim: int, sigma: float, noise: float, repeats: int, correlation: float
) -> tuple[Any, Any]:
    """Return windows of heat around the peaks, and where the points are in them."""
    rng = np.random.default_rng(0)
    axes = np.meshgrid(*[np.arange(float(EDGE))] * dim, indexing="ij")
    radius = reach((sigma,) * dim)
    windows, offsets = [], []
    for _ in range(repeats):
        center = EDGE // 2 + rng.uniform(-0.5, 0.5, dim)
        squares = sum((x - c) ** 2 for x, c in zip(axes, center, strict=True))
        heat = rng.uniform(0.5, 1) * np.exp(-0.5 * squares / sigma**2)
        if noise:
            field = gaussian_filter(rng.normal(size=heat.shape), correlation)
            heat = heat + noise * field / field.std()
        near = slice(EDGE // 2 - SEARCHED, EDGE // 2 + SEARCHED + 1)
        hidden = np.full_like(heat, -np.inf)
        hidden[(near,) * dim] = 0
        keeper = PeakKeeper(1, heat.shape, radius)
        keeper.add_tile(heat[None], (0,) * dim, weight=hidden)
        windows.append(keeper.window[0])
        offsets.append(center - keeper.peak[0])
    return np.stack(windows), np.stack(offsets)


def quarter_shift(windows: Any) -> Any:
    """Return offsets of a quarter voxel towards the larger neighbor on each axis."""
    dim = windows.ndim - 1
    middle = [n // 2 for n in windows.shape[1:]]
    steps = np.eye(dim, dtype=int)
    after = [windows[(slice(None), *(middle + step))] for step in steps]
    before = [windows[(slice(None), *(middle - step))] for step in steps]
    return 0.25 * np.sign(np.stack(after, 1) - np.stack(before, 1))


def exactness(repeats: int, correlation: float) -> None:
    """Print the table."""
    names = [*DECODERS, "quarter_shift"]
    print("| heatmap |", " | ".join(names), "|")
    print("|---|" + "---|" * len(names))
    for dim, sigma, noise in CASES:
        windows, true = simulate(dim, sigma, noise, repeats, correlation)
        found = [decode(windows, (sigma,) * dim, name).offset for name in DECODERS]
        found.append(quarter_shift(windows))
        errors = [np.linalg.norm(offset - true, axis=1).mean() for offset in found]
        cells = " | ".join(f"{error:.3f}" for error in errors)
        print(f"| {dim}-D, sigma {sigma:g}, noise {noise:g} | {cells} |", flush=True)


def memory(points: int, edge: int, sigma: float) -> None:
    """Print what keeping the peaks of a large volume costs."""
    shape = (edge,) * 3
    rng = np.random.default_rng(0)
    rows, heads = 8, 7
    field = rng.normal(size=(heads, rows, edge, edge)).astype(np.float32)
    keeper = PeakKeeper(points, shape, reach((sigma,) * 3))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    for row in range(0, edge, rows):
        for first in range(0, points, heads):
            keeper.add_rows(field[: points - first], row, first)
    fit = decode(
        np.exp(keeper.window - keeper.value[:, None, None, None]), (sigma,) * 3
    )
    seconds = time.process_time() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{points} landmarks of {edge}^3, sigma {sigma:g}, {seconds:.0f} s:")
    print(
        f"{(after - before) / 1024:.0f} MB above {field.nbytes / 2**20:.0f} MB blocks;"
    )
    print(f"all outputs at once would be {4 * points * edge**3 / 1e9:.0f} GB.")
    print(f"{int(fit.fitted.sum())} peaks could be fitted (noise has few).")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--correlation", type=float, default=1.4, help="of the noise")
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--points", type=int, default=133)
    parser.add_argument("--edge", type=int, default=512)
    parser.add_argument("--sigma", type=float, default=1.5)
    arguments = parser.parse_args(argv)
    if arguments.memory:
        memory(arguments.points, arguments.edge, arguments.sigma)
    else:
        exactness(arguments.repeats, arguments.correlation)


if __name__ == "__main__":
    main()
