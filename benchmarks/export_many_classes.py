"""Memory and time of turning the outputs of many classes into labels.

118 heads on a grid of 200 x 300 x 300 come as a stream of blocks of rows, as the
sliding window hands them on, and become labels of 512 x 512 x 600 voxels. What counts
is the peak memory of the process above the block that it was given, and the time of a
head and voxel beside that of nnU-Net's own functions, at a size that these can hold::

    python benchmarks/export_many_classes.py --nnunet-python /path/to/env/bin/python
    python benchmarks/export_many_classes.py --scale 0.5     # an eighth of the voxels

Without nnU-Net at hand the same calls of scikit-image and NumPy are measured instead.
Each side runs in a process of its own, on as many threads as it takes by itself.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

HEADS = 118
SHAPE = (200, 300, 300)
NEW_SHAPE = (512, 512, 600)
PLAIN_SHARE = 0.25  # edge of what the plain way is given: it needs 22 bytes a number
ROWS = 10
CUBE = (1.0, 1.0, 1.0)

NNUNET = r"""
import json, sys, time
import numpy as np, torch
from nnunetv2.preprocessing.resampling.default_resampling import (
    resample_data_or_seg_to_shape)
from nnunetv2.utilities.label_handling.label_handling import LabelManager
heads, shape, new_shape = json.loads(sys.argv[1])
logits = torch.from_numpy(np.random.default_rng(0).normal(
    size=(heads, *shape)).astype(np.float16))
labels = {"background": 0, **{f"class {i}": i for i in range(1, heads)}}
manager = LabelManager(labels, None)
spacing = [1.0, 1.0, 1.0]
new_spacing = [a / b for a, b in zip(shape, new_shape)]
wall, cpu = time.perf_counter(), time.process_time()
resampled = resample_data_or_seg_to_shape(
    logits, new_shape, spacing, new_spacing,
    is_seg=False, order=1, order_z=0, force_separate_z=None)
manager.convert_logits_to_segmentation(resampled)
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))
"""


def scaled(shape: tuple[int, ...], scale: float) -> tuple[int, ...]:
    """Return a shape with each edge scaled."""
    return tuple(max(2, round(size * scale)) for size in shape)


def blocks(shape: tuple[int, ...], heads: int, rows: int) -> Iterator[tuple[int, Any]]:
    """Yield first row and logits (heads, rows, ...) float16, one block at a time."""
    import torch

    generator = torch.Generator().manual_seed(0)
    size = (heads, rows, *shape[1:])
    made = torch.empty(size, dtype=torch.float16)
    for head in made:  # head by head, so that nothing larger than a block is made
        head.copy_(torch.randn(head.shape, generator=generator))
    for start in range(0, shape[0], rows):
        count = min(rows, shape[0] - start)
        yield start, made.roll(1, dims=0)[:, :count] if start else made[:, :count]


def ours(shape: tuple[int, ...], new_shape: tuple[int, ...], threads: int) -> None:
    """Decide, and print seconds and bytes as JSON."""
    import numpy as np
    import torch

    from autoseg.geometry.streaming import RowResampler, decide_blocks
    from autoseg.spec.configuration import Resampling

    if threads:
        torch.set_num_threads(threads)
    spacing = tuple(a / b for a, b in zip(shape, new_shape, strict=True))
    labels = np.zeros(new_shape, np.uint8)
    resampler = RowResampler(shape, new_shape, CUBE, spacing, Resampling())
    wall = cpu = 0.0
    before = _peak()
    stream = blocks(shape, HEADS, ROWS)
    given = 2 * HEADS * ROWS * math.prod(shape[1:])

    def counted() -> Iterator[tuple[int, Any]]:
        nonlocal wall, cpu
        while True:
            started = time.perf_counter(), time.process_time()
            block = next(stream, None)
            wall -= time.perf_counter() - started[0]
            cpu -= time.process_time() - started[1]
            if block is None:
                return
            yield block

    started = time.perf_counter(), time.process_time()
    for start, part in decide_blocks(counted(), resampler):
        labels[start : start + len(part)] = part
    wall += time.perf_counter() - started[0]
    cpu += time.process_time() - started[1]
    print(
        json.dumps(
            {
                "wall": wall,
                "cpu": cpu,
                "peak": _peak(),
                "imports": before,
                "given": given,
                "labels": int(len(np.unique(labels))),
            }
        )
    )


def _peak() -> int:
    """Return the most bytes that this process ever held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def plain(shape: tuple[int, ...], new_shape: tuple[int, ...]) -> None:
    """Do the same with scikit-image and NumPy, and print seconds as JSON."""
    import numpy as np

    from autoseg.geometry.resample import resample_outputs
    from autoseg.spec.configuration import Resampling

    logits = np.random.default_rng(0).normal(size=(HEADS, *shape)).astype(np.float16)
    wall, cpu = time.perf_counter(), time.process_time()
    resample_outputs(logits, new_shape, CUBE, CUBE, Resampling(), exact=True).argmax(0)
    print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu]))


def _run(command: list[str]) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Run both sides and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="of every edge")
    parser.add_argument(
        "--nnunet-python", help="Python of an environment with nnunetv2"
    )
    parser.add_argument(
        "--threads", type=int, default=0, help="of autoseg; 0: torch's own"
    )
    parser.add_argument("--side", choices=("ours", "plain"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    shape, new_shape = (
        scaled(SHAPE, arguments.scale),
        scaled(NEW_SHAPE, arguments.scale),
    )
    small = min(PLAIN_SHARE, arguments.scale)
    plain_shape, plain_new = scaled(SHAPE, small), scaled(NEW_SHAPE, small)
    if arguments.side == "ours":
        return ours(shape, new_shape, arguments.threads)
    if arguments.side == "plain":
        return plain(plain_shape, plain_new)
    me = [sys.executable, *sys.argv, "--side"]
    mine = _run([*me, "ours"])
    if arguments.nnunet_python:
        name, given = "nnU-Net", json.dumps([HEADS, plain_shape, plain_new])
        theirs = _run([arguments.nnunet_python, "-c", NNUNET, given])
    else:
        name, theirs = "plain way", _run([*me, "plain"])
    numbers, plain_numbers = (HEADS * math.prod(s) for s in (new_shape, plain_new))
    above = mine["peak"] - mine["given"]
    print(f"{HEADS} heads, {shape} -> {new_shape}")
    print(f"peak above the block given     {above / 1e9:6.2f} GB, of which")
    print(f"  interpreter and libraries    {mine['imports'] / 1e9:6.2f} GB")
    print(f"autoseg: {mine['wall']:.1f} s, processor {mine['cpu']:.1f} s")
    print(f"{name} at {plain_new}: {theirs[0]:.1f} s, processor {theirs[1]:.1f} s")
    for kind, a, b in (
        ("wall", mine["wall"], theirs[0]),
        ("processor", mine["cpu"], theirs[1]),
    ):
        a, b = 1e9 * a / numbers, 1e9 * b / plain_numbers
        print(
            f"ns for a head and voxel, {kind:9}: {a:.2f} and {b:.2f}, ratio {b / a:.1f}"
        )
    return None


if __name__ == "__main__":
    main()
