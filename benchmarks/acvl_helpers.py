"""Are the helpers of acvl-utils as fast as plain NumPy where both can do the work?

Bounding boxes, boxes that hang over, pasting back and sizes of components, each with
equal results: what is not slower is used from there.

    python benchmarks/acvl_helpers.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cc3d
import numpy as np
from acvl_utils.cropping_and_padding.bounding_boxes import (
    bounding_box_to_slice,
    crop_and_pad_nd,
    get_bbox_from_mask,
    insert_crop_into_image,
)
from acvl_utils.morphology.morphology_helper import cc3d_label_with_component_sizes

from autoseg.geometry.crop import bounding_box, paste
from autoseg.train.data.sample import read_box

REPEATS = 15
SHAPE = (160, 256, 256)


def median(function: Callable[[], Any]) -> float:
    """Return the median time of a call in milliseconds, after one to warm up."""
    function()
    spent = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        spent.append(time.perf_counter() - start)
    return 1000 * sorted(spent)[REPEATS // 2]


def row(
    name: str,
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    same: Callable[..., Any],
) -> None:
    """Print both times and whether the results are equal."""
    equal = bool(same(ours(), theirs()))
    a, b = median(ours), median(theirs)
    print(f"{name:<34} {a:9.2f} {b:9.2f} {b / a:7.2f}   {equal}")


def plain_components(mask: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Return components and their sizes with cc3d and NumPy alone."""
    numbers = cc3d.connected_components(mask)
    return numbers, np.bincount(numbers.ravel())[1:].tolist()


def acvl_components(mask: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """Return components and their sizes with acvl-utils."""
    numbers, sizes = cc3d_label_with_component_sizes(mask, connectivity=26)
    return numbers, list(sizes.values())


def main() -> None:
    """Print a table: milliseconds of autoseg, of acvl-utils, their ratio, equality."""
    rng = np.random.default_rng(0)
    print(f"{'':<34} {'autoseg':>9} {'acvl':>9} {'ratio':>7}   equal")
    for name, share in (("body in the middle", 5), ("whole image", 10**6)):
        mask = np.zeros(SHAPE, dtype=bool)
        mask[tuple(slice(n // share, n - n // share) for n in SHAPE)] = True
        row(
            f"bounding box, {name}",
            lambda mask=mask: bounding_box(mask),
            lambda mask=mask: bounding_box_to_slice(get_bbox_from_mask(mask)),
            lambda a, b: a == tuple(b),
        )
    image = rng.random((2, *SHAPE), dtype=np.float32)
    low, size = (-20, 100, 200), (96, 160, 160)
    box = [[a, a + n] for a, n in zip(low, size, strict=True)]
    row(
        "a patch that hangs over",
        lambda: read_box(image, low, size, -1),
        lambda: crop_and_pad_nd(image, box, pad_value=-1),
        np.array_equal,
    )
    part = tuple(slice(a, a + 96) for a in (10, 20, 30))
    found = image[(0, *part)].copy()
    ends = [[p.start, p.stop] for p in part]
    row(
        "a result put back into its image",
        lambda: paste(found, part, SHAPE),
        lambda: insert_crop_into_image(np.zeros(SHAPE, found.dtype), found, ends),
        np.array_equal,
    )
    smooth = rng.random(tuple(n // 8 for n in SHAPE)).repeat(8, 0).repeat(8, 1)
    for name, mask in (
        ("some components", smooth.repeat(8, 2) > 0.8),
        ("very many components", rng.random(SHAPE) > 0.97),
    ):
        row(
            name,
            lambda mask=mask: plain_components(mask),
            lambda mask=mask: acvl_components(mask),
            lambda a, b: np.array_equal(a[0], b[0]) and a[1] == b[1],
        )


if __name__ == "__main__":
    main()
