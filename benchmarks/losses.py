"""Losses on made-up data for which they were thought of, beside dice_ce at equal cost.

The same tiny U-Net, the same pictures, as many steps; two seeds. A kind of data takes
about three minutes of one thread. With ``--json``, what was run is kept after each
training, and left out the next time::

    python benchmarks/losses.py
    python benchmarks/losses.py --only rare --json losses.json

- vessels: crossing lines on noise, some of them faint; clDice and pieces of the mask
  (predicted minus true, absolute: what is broken);
- rare: a spot of a few voxels in half of the pictures; Dice of all voxels together,
  and the share of the spots that is found;
- cells: discs that nearly touch; the share of cells that is found with an IoU over 0.5
  (pieces of the mask are cells).

Prints means over the seeds, the range of the first number, and processor seconds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, label
from skimage.morphology import skeletonize

from autoseg.losses import LOSSES
from autoseg.networks import NETWORKS

EDGE, TEST = 64, 40
Mask = NDArray[np.bool_]
Grid = NDArray[np.float64]


def _grid() -> tuple[Grid, Grid]:
    y, x = np.mgrid[:EDGE, :EDGE].astype(float)
    return y, x


def _picture(mask: Mask, height: Grid, random: np.random.Generator) -> Grid:
    smooth = gaussian_filter(np.where(mask, height, 0.0), 0.7)
    made: Grid = smooth + random.normal(0, 0.35, mask.shape)
    return made


def vessels(random: np.random.Generator) -> tuple[Grid, Mask]:
    """Return five curved lines, one to two voxels wide, that fade in places."""
    y, x = _grid()
    mask = np.zeros((EDGE, EDGE), bool)
    for _ in range(5):
        angle, offset = random.uniform(0, np.pi), random.uniform(10, EDGE - 10)
        along = np.cos(angle) * x + np.sin(angle) * y
        across = np.cos(angle) * y - np.sin(angle) * x + EDGE / 2
        bent = across - offset - 3 * np.sin(along / 9 + offset)
        mask |= np.abs(bent) < random.uniform(0.6, 1.1)
    fading = 0.55 + 0.45 * np.sin(x / 5 + random.uniform(0, 6)) * np.sin(y / 6)
    return _picture(mask, fading, random), mask


def rare(random: np.random.Generator) -> tuple[Grid, Mask]:
    """Return a spot of some ten voxels in half of the pictures."""
    y, x = _grid()
    mask = np.zeros((EDGE, EDGE), bool)
    if random.random() < 0.5:
        middle = random.uniform(6, EDGE - 6, 2)
        mask = np.hypot(y - middle[0], x - middle[1]) < random.uniform(1.4, 2.2)
    return _picture(mask, np.full(mask.shape, 1.1), random), mask


def cells(random: np.random.Generator) -> tuple[Grid, Mask]:
    """Return discs on a shaken grid, a voxel or two apart."""
    y, x = _grid()
    mask = np.zeros((EDGE, EDGE), bool)
    for row in range(4):
        for column in range(4):
            shake = random.uniform(-0.7, 0.7, 2)
            far = np.hypot(y - 8 - 15 * row - shake[0], x - 8 - 15 * column - shake[1])
            mask |= far < random.uniform(6.4, 7.2)
    return _picture(mask, np.ones(mask.shape), random), mask


def _of_vessels(found: list[Mask], truth: list[Mask]) -> tuple[float, float]:
    scores, broken = [], []
    for one, two in zip(found, truth, strict=True):
        own, drawn = skeletonize(one), skeletonize(two)
        precision = (own & two).sum() / max(1, own.sum())
        recall = (drawn & one).sum() / max(1, drawn.sum())
        scores.append(2 * precision * recall / max(1e-9, precision + recall))
        broken.append(abs(_pieces(one)[1] - _pieces(two)[1]))
    return float(np.mean(scores)), float(np.mean(broken))


def _pieces(mask: Mask) -> tuple[NDArray[np.int32], int]:
    numbers, count = label(mask, np.ones((3, 3)))
    return numbers, count


def _of_rare(found: list[Mask], truth: list[Mask]) -> tuple[float, float]:
    both = sum(int((a & b).sum()) for a, b in zip(found, truth, strict=True))
    all_voxels = sum(int(a.sum() + b.sum()) for a, b in zip(found, truth, strict=True))
    hit = [bool((a & b).any()) for a, b in zip(found, truth, strict=True) if b.any()]
    return 2 * both / max(1, all_voxels), float(np.mean(hit))


def _of_cells(found: list[Mask], truth: list[Mask]) -> tuple[float, float]:
    hits, predicted, real = 0, 0, 0
    for one, two in zip(found, truth, strict=True):
        (own, n), (drawn, m) = label(one), label(two)
        predicted, real = predicted + n, real + m
        for number in range(1, m + 1):
            cell = drawn == number
            over = np.bincount(own[cell], minlength=n + 1)
            over[0] = 0
            best = int(over.argmax())
            union = cell.sum() + (own == best).sum() - over[best]
            hits += bool(over[best] > 0.5 * union)
    return hits / max(1, real), 2 * hits / max(1, predicted + real)


KINDS: dict[str, tuple[Callable, Callable, str, list[str]]] = {
    "vessels": (
        vessels,
        _of_vessels,
        "clDice, pieces wrong",
        ["dice_ce", "cl_dice", "skeleton_recall"],
    ),
    "rare": (
        rare,
        _of_rare,
        "Dice, spots found",
        ["dice_ce", "focal_tversky", "tversky"],
    ),
    "cells": (
        cells,
        _of_cells,
        "cells found, F1",
        ["dice_ce", "border_ce", "boundary"],
    ),
}


def run(
    kind: str, name: str, seed: int, steps: int, batch: int
) -> tuple[float, float, float]:
    """Train and score; return two numbers and the processor seconds of the training."""
    draw, score = KINDS[kind][:2]
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    options = {
        "dim": 2, "features": [8, 16, 32], "kernels": [[3, 3]] * 3,
        "strides": [[1, 1], [2, 2], [2, 2]], "convs_encoder": [2, 2, 2],
        "convs_decoder": [2, 2],
    }  # fmt: skip
    network = NETWORKS["plain_unet"](1, {"classes": 2}, False, **options)
    loss = LOSSES[name](True)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    start = time.process_time()
    for _ in range(steps):
        images, labels = zip(*(draw(random) for _ in range(batch)), strict=True)
        logits = network(torch.tensor(np.stack(images)[:, None]).float())["classes"]
        value = loss(logits, torch.tensor(np.stack(labels)).long())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        rates.step()
    spent = time.process_time() - start
    test = [draw(np.random.default_rng(10_000 + n)) for n in range(TEST)]
    with torch.no_grad():
        images = torch.tensor(np.stack([image for image, _ in test])[:, None]).float()
        found = network(images)["classes"].argmax(1).bool().numpy()
    return (*score(list(found), [mask for _, mask in test]), spent)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--losses", nargs="+", help="instead of those of a kind")
    parser.add_argument("--json", type=Path, help="where results are kept")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kept = {}
    if arguments.json and arguments.json.is_file():
        kept = json.loads(arguments.json.read_text())
    for kind in arguments.only:
        measures, losses = KINDS[kind][2:]
        print(f"{kind} ({measures})")
        for name in arguments.losses or losses:
            rows = []
            for seed in arguments.seeds:
                steps, batch = arguments.steps, arguments.batch
                key = f"{kind} {name} seed {seed}, {steps} steps of {batch}"
                if key not in kept:
                    kept[key] = run(kind, name, seed, steps, batch)
                    if arguments.json:
                        arguments.json.write_text(json.dumps(kept, indent=1) + "\n")
                rows.append(kept[key])
            one, two, spent = np.mean(rows, axis=0)
            low, high = min(r[0] for r in rows), max(r[0] for r in rows)
            print(
                f"  {name:16} {one:.3f} [{low:.3f}, {high:.3f}]  {two:.3f}  "
                f"{spent:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
