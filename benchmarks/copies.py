"""Landmarks in turned and scaled copies of an image: error and time by their number.

A trained model on the cases that its fold 0 held back; the same networks and windows
each time. Mean error and the share within 2 mm over all points, and processor
seconds, one thread::

    python benchmarks/copies.py DATASET --root ROOT --copies 1 3 5 9
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch

import autoseg
from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.read import load_dataset
from autoseg.predict.inputs import read_files
from autoseg.preprocess.folds import load_splits
from autoseg.tasks import make_task
from autoseg.workspace import Workspace, find_root


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--root", type=Path)
    parser.add_argument("--plan", default="unet")
    parser.add_argument("--configuration", default="2d")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 3, 5, 9])
    parser.add_argument("--every", type=int, default=1, help="one case of so many")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    dataset = load_dataset(arguments.dataset)
    workspace = Workspace.find(str(arguments.dataset), find_root(arguments.root))
    held = load_splits(workspace, dataset, quiet=True)[0][1]
    cases = [case for case in dataset.training if case.id in held]
    model = workspace.model(arguments.plan, arguments.configuration)
    for copies in arguments.copies:
        predictor = autoseg.Predictor.load(
            model, folds=[0], device="cpu", copies=copies
        )
        task = make_task(predictor.model.plan.task)
        errors, spent = [], 0.0
        for case in cases[:: arguments.every]:
            image = read_files(case.images, predictor.model)
            start = time.process_time()
            found = predictor.predict_image(image)
            spent += time.process_time() - start
            true, _ = read_annotation(
                case.annotation, dataset, task, image=image.geometry, case_id=case.id
            )
            away = found.details["peak"] - true.ordered(found.names).coordinates
            errors.append(np.linalg.norm(away * image.geometry.spacing, axis=1))
        far = np.concatenate(errors)
        far = far[np.isfinite(far)]
        print(
            f"{copies} copies: {far.mean():.3f} (median {np.median(far):.3f}) "
            f"{image.geometry.unit}, {(far < 2).mean():.1%} within 2, "
            f"{spent / len(errors):.2f} s an image",
            flush=True,
        )


if __name__ == "__main__":
    main()
