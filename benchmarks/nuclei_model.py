"""Train, score and pack the model of fluorescence nuclei that comes along with autoseg.

Fold 0 of Dataset018_DSB2018 (pictures of BBBC038, stage1_train, CC0). `train` goes on
where it was stopped; `pack` writes the bundle; `score` predicts the pictures of the
fold, which the model has not seen, also made half and twice as large::

    python benchmarks/nuclei_model.py train DATASET --root ROOT --minutes 62
    python benchmarks/nuclei_model.py pack DATASET --root ROOT --bundle first.zip
    python benchmarks/nuclei_model.py train DATASET --root NEXT --init-from first.zip \\
        --iterations 4000 --lr 0.004
    python benchmarks/nuclei_model.py pack DATASET --root ROOT --bundle nuclei.zip
    python benchmarks/nuclei_model.py score DATASET --root ROOT --bundle nuclei.zip
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import autoseg
from autoseg.datasets.read import load_dataset
from autoseg.evaluate.aggregate import Statistic, aggregate
from autoseg.metrics.instances import score_instances
from autoseg.metrics.pooled import POOLED_INSTANCES
from autoseg.model.bundle import write_bundle
from autoseg.model.load import load_model
from autoseg.model.postprocessing import Postprocessing
from autoseg.preprocess.folds import load_splits
from autoseg.spec.json import load_object
from autoseg.spec.scale import Scale
from autoseg.tasks import make_task
from autoseg.workspace import RUN, Workspace, find_dataset, find_root

PLAN, CONFIGURATION, FOLD = "nuclei", "2d", 0
SETTINGS = {
    "patch_size": [192, 192],
    "network.features": [16, 32, 64, 128, 128],
}
LICENSE = "CC0-1.0"
# Of decoding; the best for mean AP on every eighth picture of training, one after the
# other from the plan's. The fold that is held back had no say.
DECODING = {"foreground": 0.6, "join": 2.0, "seed": 30, "agree": 0.7}
BATCH = 2  # in so little time, twice the steps are worth more than steadier ones
NOTES = """
## What it is for

Nuclei in gray fluorescence pictures (DAPI, Hoechst and the like), at any magnification
at which a nucleus has 4 pixels or more across. Not for H&E or other stains.

Pictures: Broad Bioimage Benchmark Collection BBBC038, stage1_train of the Data Science
Bowl 2018 (Caicedo et al. 2019, doi:10.1038/s41592-019-0612-7), public domain (CC0).
Its fluorescence pictures, fold 0 of five held back and never looked at in training.
"""
SHOWN = ("ap_50_pooled", "map_pooled", "ap_90_pooled", "ap_50", "map", "pq_pooled")


def train(
    dataset: str,
    root: Path,
    minutes: float,
    iterations: int | None,
    lr: float | None,
    init_from: str | None,
) -> None:
    """Plan, prepare and train one fold, in a given time or length, on one core."""
    autoseg.plan_and_preprocess(dataset, root, name=PLAN, workers=1)
    autoseg.train(
        dataset,
        CONFIGURATION,
        FOLD,
        root,
        plan=PLAN,
        time_budget=None if iterations else 60 * minutes,
        iterations=iterations,
        lr=lr,
        batch_size=BATCH,
        settings=SETTINGS,
        threads=1,
        workers=1,
        init_from=init_from,
        validation=False,  # the fold that is held back has no say in anything
    )


def pack(dataset: str, root: Path, bundle: Path, checkpoint: str) -> None:
    """Write the bundle: weights in half precision, and how large nuclei were.

    Its fingerprint stays behind: pictures of any brightness are as good, since each is
    normalized by itself.
    """
    folder = Workspace.find(dataset, root).model(PLAN, CONFIGURATION)
    model = load_model(folder, folds=[FOLD], checkpoint=checkpoint)
    scale = Scale.of_fingerprint(model.fingerprint)
    halves = {name: tensor.half() for name, tensor in model.weights[0].items()}
    settings = replace(model.settings, batch_size=BATCH)
    plan = replace(model.plan, configurations={CONFIGURATION: settings})
    task = make_task(plan.task)
    seen = load_object(folder / f"fold_{FOLD}" / RUN)["training_cases"]
    model = replace(
        model,
        plan=plan,
        weights=(halves,),
        scale=scale,
        fingerprint=None,
        postprocessing=Postprocessing(task=task.tuned(DECODING)),
        dataset={**model.dataset, "numTraining": seen},
    )
    scores = scores_file(bundle)
    table = scores.read_text(encoding="utf-8") if scores.is_file() else ""
    write_bundle(model, bundle, license=LICENSE, notes=NOTES + table, overwrite=True)
    print(f"{bundle}: {bundle.stat().st_size / 1e6:.2f} MB, {scale}")


def scores_file(bundle: Path) -> Path:
    """Return where `score` leaves its table for the card."""
    return bundle.with_suffix(".md")


def resized(image: Any, labels: Any, factor: float) -> tuple[Any, Any]:
    """Return a picture and its ids, half or twice as large, or as they are."""
    if factor == 1:
        return image, labels
    if factor == 2:
        size = (2 * image.shape[1], 2 * image.shape[0])
        large = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
        return np.asarray(large), np.kron(labels, np.ones((2, 2), labels.dtype))
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    quarters = [
        array[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
        for array in (image, labels)
    ]
    small = np.rint(quarters[0].mean((1, 3))).astype(image.dtype)
    four = np.sort(quarters[1].transpose(0, 2, 1, 3).reshape(rows, columns, 4), -1)
    # Of four sorted ids, the third is one that at least two have, if any has.
    return small, four[..., 2]


def fold_of(dataset: str, root: Path, step: int) -> Iterator[tuple[str, Any, Any]]:
    """Give every so many pictures of the fold, and their ids."""
    described = load_dataset(find_dataset(dataset, root))
    splits = load_splits(Workspace.find(dataset, root), described, quiet=True)
    cases = {case.id: case for case in described.training}
    for name in splits[FOLD][1][::step]:
        case = cases[name]
        yield (
            name,
            np.asarray(Image.open(case.images[0])),
            np.asarray(Image.open(case.annotation)).astype(np.int32),
        )


def score(
    dataset: str, root: Path, bundle: Path, step: int
) -> dict[float, dict[str, Statistic]]:
    """Predict the fold at three magnifications, and print a table."""
    predictor = autoseg.Predictor.load(bundle, device="cpu")
    found = {}
    head = "| pictures | " + " | ".join(SHOWN) + " | processor s an image |"
    lines = ["", "## Scores on the fold that it has not seen", "", head]
    lines.append("|---" * (len(SHOWN) + 2) + "|")
    print(head)
    for factor in (1, 0.5, 2):
        rows, seconds = {}, 0.0
        for name, image, labels in fold_of(dataset, root, step):
            image, labels = resized(image, labels, factor)
            start = time.process_time()
            ids = predictor.predict(image)
            seconds += time.process_time() - start
            rows[name] = score_instances(ids.astype(np.int32), labels, (1.0, 1.0))
        found[factor] = aggregate(rows, pooled=POOLED_INSTANCES)[1]
        numbers = [f"{found[factor][key].mean:.3f}" for key in SHOWN]
        numbers.append(f"{seconds / len(rows):.2f}")
        lines.append(f"| x {factor} | " + " | ".join(numbers) + " |")
        print(lines[-1], flush=True)
    if step == 1:
        scores_file(bundle).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return found


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=["train", "pack", "score"])
    parser.add_argument("dataset")
    parser.add_argument("--root", type=Path)
    parser.add_argument("--minutes", type=float, default=62)
    parser.add_argument("--iterations", type=int, help="instead of minutes")
    parser.add_argument("--lr", type=float)
    parser.add_argument("--init-from")
    parser.add_argument("--checkpoint", default="final")
    parser.add_argument("--bundle", type=Path, default=Path("nuclei.zip"))
    parser.add_argument("--every", type=int, default=1, help="picture, to be faster")
    arguments = parser.parse_args()
    root = find_root(arguments.root)
    if arguments.step == "train":
        length = (arguments.minutes, arguments.iterations, arguments.lr)
        train(arguments.dataset, root, *length, arguments.init_from)
    elif arguments.step == "pack":
        pack(arguments.dataset, root, arguments.bundle, arguments.checkpoint)
    else:
        score(arguments.dataset, root, arguments.bundle, arguments.every)


if __name__ == "__main__":
    main()
