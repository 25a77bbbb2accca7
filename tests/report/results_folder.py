"""A ROOT with results as training leaves them, without training anything.

The validation predictions are the annotations, moved by as many voxels as the case's
number, so that case_00 is perfect and every next one is worse.
"""

from __future__ import annotations

import json

import numpy as np

from autoseg.evaluate.stage import evaluate
from autoseg.fingerprint.stage import fingerprint
from planners.stage import plan
from tests import toy

CASES = 4
CONFIGURATION = "3d_fullres"


def moved(labels, number):
    """Return labels moved along the last axis."""
    return np.roll(labels, number, axis=-1)


def log(iterations=40, slow=0.05):
    """Return lines of a log whose loss falls and whose score rises."""
    return [
        {
            "iteration": i,
            "progress": i / iterations,
            "seconds": 2.0 * i,
            "learning_rate": 0.01,
            "loss": 1 / i,
            "validation_loss": 1.2 / i,
            "score": 1 - 1 / i,
            "average_score": 1 - 1.1 / i,
            "seconds_per_iteration": 0.5,
            "waiting_for_loader": slow,
        }
        for i in range(10, iterations + 1, 10)
    ]


def prepare(root, folds=2, cases=CASES, make=None, **options):
    """Write raw data, fingerprint, plan and so many trained folds."""
    make = make or toy.volumes
    folder = make(root / "raw" / "Toy", cases=cases, test=1, **options)
    fingerprint("Toy", root, workers=1)
    plan("Toy", root)
    for fold in range(folds):
        ids = [f"case_{i:02d}" for i in range(cases) if i % folds == fold]
        write_fold(root, folder, str(fold), ids)
    return folder


def write_fold(root, folder, fold, ids, configuration=CONFIGURATION, worse=0):
    """Write one fold with its predictions and scores."""
    place = root / "results" / "Toy" / "unet" / configuration / f"fold_{fold}"
    for case in ids:
        number = int(case[-2:])
        labels = moved(toy.labels_of(number), number + worse)
        toy.write_nifti(place / "validation" / f"{case}.nii.gz", labels)
    evaluate(place / "validation", folder, cases=ids, workers=1)
    (place / "checkpoint_final.pt").write_bytes(b"")
    lines = [json.dumps(entry) for entry in log()]
    (place / "log.jsonl").write_text("\n".join(lines))
    run = {"recipe": {"name": "fast"}, "device": "cpu", "training_cases": 4,
           "validation_cases": len(ids)}  # fmt: skip
    (place / "run.json").write_text(json.dumps(run))
    return place
