"""Time of HD95, ASSD and NSD: autoseg beside the package surface-distance.

Both measure the same masks in turn, in one process; the ratio of the medians is what
counts. autoseg takes all cores that it may have, surface-distance knows one: so
processor time stands beside the wall clock, which a busy machine lengthens. Run it
with::

    pip install surface-distance
    python benchmarks/surface_metrics.py            # --size 256 --repeats 3
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

SPACING = (3.0, 1.0, 1.0)
TOLERANCE = 1.0


def masks(size: int, unlike: float, seed: int = 0) -> tuple[Any, Any]:
    """Return two masks of blobs, a tenth of a cube each, more or less alike."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    fields = [
        gaussian_filter(rng.normal(size=(size,) * 3), size / 24, mode="wrap")
        for _ in range(2)
    ]
    second = fields[0] + unlike * fields[1]
    return (
        fields[0] > np.quantile(fields[0], 0.9),
        second > np.quantile(second, 0.9),
    )


def ours(predicted: Any, reference: Any) -> tuple[float, float, float]:
    """Return HD95, ASSD and NSD by autoseg."""
    from autoseg.metrics.surface import assd, hd95, nsd, surface_distances

    found = surface_distances(predicted, reference, SPACING)
    return hd95(found), assd(found), nsd(found, TOLERANCE)


def theirs(predicted: Any, reference: Any) -> tuple[float, float, float]:
    """Return the same by surface-distance."""
    import surface_distance as peer

    found = peer.compute_surface_distances(reference, predicted, SPACING)
    pairs = [
        (found["distances_gt_to_pred"], found["surfel_areas_gt"]),
        (found["distances_pred_to_gt"], found["surfel_areas_pred"]),
    ]
    area = sum(float(areas.sum()) for _, areas in pairs)
    return (
        float(peer.compute_robust_hausdorff(found, 95)),
        sum(float(lengths @ areas) for lengths, areas in pairs) / area,
        float(peer.compute_surface_dice_at_tolerance(found, TOLERANCE)),
    )


def seconds(function: Callable[..., Any], *arguments: Any) -> tuple[float, float]:
    """Return the time of one call by the wall's clock and by the processor's."""
    wall, processor = time.perf_counter(), time.process_time()
    function(*arguments)
    return time.perf_counter() - wall, time.process_time() - processor


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args(argv)
    warnings.simplefilter("ignore", DeprecationWarning)
    ours(*masks(16, 0.3))  # imports and tables are not what is measured
    theirs(*masks(16, 0.3))
    print("               wall clock, s           processor, s")
    print("masks         ours  theirs  ratio   ours  theirs  ratio  largest difference")
    for name, unlike in (("alike", 0.05), ("a bit apart", 0.3), ("unlike", 2.0)):
        pair = masks(arguments.size, unlike)
        apart = max(abs(a - b) for a, b in zip(ours(*pair), theirs(*pair), strict=True))
        if not math.isfinite(apart) or apart > 1e-6:
            raise SystemExit(f"{name}: the values differ by {apart}")
        times = [
            seconds(ours, *pair) + seconds(theirs, *pair)
            for _ in range(arguments.repeats)
        ]
        wall, processor, other_wall, other_processor = map(
            statistics.median, zip(*times, strict=True)
        )
        print(
            f"{name:<12} {wall:>5.2f}  {other_wall:>6.2f}  {other_wall / wall:>5.1f}  "
            f"{processor:>5.2f}  {other_processor:>6.2f}  "
            f"{other_processor / processor:>5.1f}  {apart:>18.1e}"
        )


if __name__ == "__main__":
    main()
