"""What windows see beyond the border of a picture: zeros, or the picture mirrored.

The model ``nuclei``, which comes along, on crops of pictures: 300 x 300, which nearly
fill one window of 304 where four of 192 are as trained; and 160 x 160, which are
smaller than a window. Mean AP (IoU 0.50 to 0.90, objects of all crops together) and
processor seconds of the prediction, one thread::

    python benchmarks/margins.py DATASET
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

from autoseg.evaluate.aggregate import aggregate
from autoseg.metrics.instances import score_instances
from autoseg.metrics.pooled import POOLED_INSTANCES
from autoseg.predict import window_choice
from autoseg.predict.predictor import Predictor
from autoseg.predict.windows import tiling
from autoseg.predict.windows.window import Windows

WAYS = {  # how windows may be widened, and what they see beyond
    "windows as trained, zeros": (False, False),
    "windows as trained, mirrored": (False, True),
    "wider, zeros": (True, False),
    "wider, mirrored": (True, True),
}
DIAMETER = 20.0  # of nuclei that are seen as they are


def crops(folder: Path, edge: int, every: int) -> Iterator[tuple[Any, Any]]:
    """Yield the middles of pictures that are large enough, and of their ids."""
    number = 0
    for file in sorted((folder / "labelsTr").iterdir()):
        with Image.open(file) as opened:
            if min(opened.size) < edge:
                continue
            number += 1
            if number % every:
                continue
            ids = np.asarray(opened).astype(np.int32)
        (image,) = (folder / "imagesTr").glob(f"{file.stem}_0000.*")
        with Image.open(image) as opened:
            gray = np.asarray(opened.convert("L"), np.float32)
        low = [(size - edge) // 2 for size in ids.shape]
        box = tuple(slice(at, at + edge) for at in low)
        yield gray[box], ids[box]


def run(cases: list[tuple[Any, Any]], wider: bool, mirrored: bool) -> tuple[float, ...]:
    """Predict and score; return mean AP, AP at 0.5 and processor seconds."""
    predictor = Predictor.load(
        "nuclei", diameter=DIAMETER, device="cpu", precision="fp32"
    )

    def widen(*given: Any) -> tuple[int, ...]:
        return tiling.widen(*given[:5], wider)

    def windows(**given: Any) -> Windows:
        return Windows(**{**given, "reflected": mirrored})

    scores, spent = [], 0.0
    with (
        patch.object(window_choice, "widen", widen),
        patch.object(window_choice, "Windows", windows),
    ):
        predictor.predict(cases[0][0], (1.0, 1.0))  # networks are built
        for image, ids in cases:
            start = time.process_time()
            found = predictor.predict(image, (1.0, 1.0))
            spent += time.process_time() - start
            scores.append(score_instances(found.astype(np.int32), ids, (1.0, 1.0)))
    named = {str(number): score for number, score in enumerate(scores)}
    whole = aggregate(named, pooled=POOLED_INSTANCES)[1]
    return whole["map_pooled"].mean, whole["ap_50_pooled"].mean, spent


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--edges", type=int, nargs="+", default=[300, 160])
    parser.add_argument("--every", type=int, default=6, help="one crop of so many")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for edge in arguments.edges:
        cases = list(crops(arguments.dataset, edge, arguments.every))
        objects = sum(len(np.unique(ids)) - 1 for _, ids in cases)
        print(f"{len(cases)} crops of {edge} x {edge}, {objects} nuclei")
        for name, how in WAYS.items():
            mean, half, spent = run(cases, *how)
            print(f"  {name:28} {mean:.3f}  {half:.3f}  {spent:5.1f} s", flush=True)


if __name__ == "__main__":
    main()
