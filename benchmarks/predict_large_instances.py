"""Does a picture of 20,000 x 20,000 pixels go through in 8 GB, and come out right?

Makes a TIFF of half a million round objects whose intensities say what is core and what
is border, and predicts it from file to files in a process of its own, with a network
that knows these intensities. Prints the peak of physical memory (memory-mapped pages
included) and how many objects there should be and are::

    python benchmarks/predict_large_instances.py                  # about 10 minutes
    python benchmarks/predict_large_instances.py --edge 5000 --budget 4

With ``--overlapping``, objects lie in pairs that share voxels, 20,000 in a picture of
10,000 x 10,000, and the network gives a map for each, as that of `queries` does::

    python benchmarks/predict_large_instances.py --overlapping --edge 10000

What a real network needs for its windows comes on top, and does not grow with the
picture. Exit code 1 if the budget was not kept or objects were cut, lost or doubled.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
import torch
from predict_memory import watch
from scipy.ndimage import find_objects, label

from autoseg.model.model import Model
from autoseg.predict.options import Options
from autoseg.predict.predictor import Predictor
from autoseg.predict.stage import predict
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration
from autoseg.spec.plan import Channel, Plan
from autoseg.tasks import TASKS

TILE = 500  # pixels of the pattern that is repeated
STEP = 25  # between middles of objects
LEVELS = (0.0, 100.0, 200.0)  # intensities of background, core and border
OPTIONS = {"labels": {"cell": 1}, "representation": {"name": "border_core"}}
APART = 100  # between middles of pairs
ONE, OTHER, BOTH = 100, 150, 200  # intensities of what overlaps
QUERIES = 40  # objects that a window shows at most, and some
SEEN = 256  # pixels of a window's edge, where objects overlap
HELD = {
    "labels": {"cell": 1},
    "representation": {"name": "queries", "options": {"queries": QUERIES}},
}


def main() -> int:
    """Measure, print, and say whether all is well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edge", type=int, default=20_000, help="pixels of an edge")
    parser.add_argument("--budget", type=float, default=8.0, help="GB")
    parser.add_argument("--folder", type=Path, help="where to put files")
    parser.add_argument("--overlapping", action="store_true", help="pairs of objects")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child is not None:
        work(arguments.child, arguments.budget, arguments.overlapping)
        return 0
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        return measure(arguments, Path(folder))


def measure(arguments: argparse.Namespace, folder: Path) -> int:
    """Make the picture, predict it, and compare."""
    tile, number = pairs() if arguments.overlapping else pattern()
    number *= write_picture(folder / "images" / "large_0000.tif", arguments.edge, tile)
    start = time.monotonic()
    words = [sys.executable, __file__, "--child", str(folder)]
    words += ["--overlapping"] if arguments.overlapping else []
    peak, code = watch([*words, "--budget", str(arguments.budget)])
    seconds = time.monotonic() - start
    found = 0
    if not code:
        with (folder / "out" / "large_instances.csv").open() as file:
            sizes = [float(row["size_px2"]) for row in csv.DictReader(file)]
        found = len(sizes)
        print(f"sizes {min(sizes):g} to {max(sizes):g} pixels")
    print(
        f"exit code {code}, {seconds:.0f} s, peak {peak / 1e9:.2f} GB of "
        f"{arguments.budget} GB, {found} objects of {number}"
    )
    return int(code != 0 or peak > arguments.budget * 1e9 or found != number)


def pattern() -> tuple[np.ndarray, int]:
    """Return a tile of objects as intensities, and how many there are."""
    labels = np.zeros((TILE, TILE), np.int32)
    grid = np.indices(labels.shape)
    rng = np.random.default_rng(0)
    middles = [
        (y, x)
        for y in range(STEP // 2, TILE, STEP)
        for x in range(STEP // 2, TILE, STEP)
    ]
    for number, middle in enumerate(middles, start=1):
        radius = rng.uniform(6, 11.5)
        away = sum((axis - m) ** 2 for axis, m in zip(grid, middle, strict=True))
        labels[away < radius**2] = number
    classes = TASKS["instance"](**OPTIONS).targets(labels, (1.0, 1.0))["border_core"]
    return np.array(LEVELS, np.uint8)[classes], len(middles)


def pairs() -> tuple[np.ndarray, int]:
    """Return a tile of pairs of discs that overlap, and how many discs there are."""
    grid = np.indices((TILE, TILE))
    rng = np.random.default_rng(0)
    found = [np.zeros((TILE, TILE), bool), np.zeros((TILE, TILE), bool)]
    middles = range(APART // 2, TILE, APART)
    for middle in [(y, x) for y in middles for x in middles]:
        for side, off in zip(found, (-6, 6), strict=True):
            at = (middle[0], middle[1] + off)
            away = sum((axis - m) ** 2 for axis, m in zip(grid, at, strict=True))
            side |= away < rng.uniform(9, 16) ** 2
    tile = np.where(found[0], ONE, 0) + np.where(found[1], OTHER, 0)
    tile[found[0] & found[1]] = BOTH
    return tile.astype(np.uint8), 2 * len(middles) ** 2


def write_picture(path: Path, edge: int, tile: np.ndarray) -> int:
    """Write a tile as often as it fits, and return how often that is."""
    path.parent.mkdir(parents=True)
    times = -(-edge // TILE)
    if edge % TILE:
        sys.exit(f"--edge {edge}: give a multiple of {TILE}.")
    rows = np.tile(tile, (1, times))
    tifffile.imwrite(
        path,
        (row for _ in range(times) for row in [rows]),
        shape=(edge, edge),
        dtype=np.uint8,
        rowsperstrip=TILE,
        photometric="minisblack",
    )
    return times**2


def knowing(batch: torch.Tensor) -> torch.Tensor:
    """Answer with the class whose intensity is nearest."""
    levels = torch.tensor(LEVELS).reshape(1, -1, 1, 1)
    return -(batch[:, :1] - levels).abs()


def knowing_each(batch: torch.Tensor) -> torch.Tensor:
    """Answer with a map for each disc of pairs."""
    found = torch.full((len(batch), QUERIES, *batch.shape[2:]), -9.0)
    for maps, image in zip(found, batch[:, 0].numpy(), strict=True):
        number = 0
        for own in (ONE, OTHER):
            labels, _ = label((image == own) | (image == BOTH))
            for i, box in enumerate(find_objects(labels), start=1):
                maps[(number, *box)][torch.from_numpy(labels[box] == i)] = 9.0
                number += 1
    return found


def work(folder: Path, budget: float, overlapping: bool) -> None:
    """Predict the picture, from file to files."""
    edge = SEEN if overlapping else 512
    settings = Configuration(
        spacing=(1.0, 1.0),
        patch_size=(edge, edge),
        batch_size=2,
        median_shape=(512.0, 512.0),
        network=Choice(name="plain_unet", options={"features": [2]}),
    )
    plan = Plan(
        name="toy",
        dataset="Large",
        planner="unet",
        task=Choice(name="instance", options=HELD if overlapping else OPTIONS),
        unit="px",
        transpose=(0, 1),
        channels=(Channel(name="gray", normalizer=Choice(name="none")),),
        configurations={"2d": settings},
    )
    model = Model(
        plan=plan,
        configuration="2d",
        weights=({},),
        folds=("0",),
        source="toy",
        dataset={
            "task": "instance",
            "channel_names": {"0": "gray"},
            "labels": {"background": 0, "cell": 1},
            "file_ending": ".tif",
        },
    )
    step = 0.5 if overlapping else 1.0  # objects are united where windows overlap
    options = Options(device="cpu", mirror=False, step_size=step, max_memory=budget)
    predictor = Predictor(model, options)
    predictor._networks = [knowing_each if overlapping else knowing]
    predict(predictor, folder / "images", folder / "out")


if __name__ == "__main__":
    sys.exit(main())
