"""Is the report of a large data set small and quick?

Makes a data set of small volumes with predictions that are annotations moved by a few
voxels, five trained folds without a training, and writes the report. Prints the size of
the page and of its JSON, and the processor time of writing it; `--profile` says where
that goes.

    python benchmarks/report_size.py --cases 500
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import tempfile
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from autoseg.evaluate.stage import evaluate
from autoseg.fingerprint.stage import fingerprint
from autoseg.report.stage import report
from planners.stage import plan

NAME = "Many"
FOLDS = 5
LABELS = {"background": 0, "left": 1, "right": 2, "front": 3}
SHAPE = (10, 40, 40)


def main() -> None:
    """Make the data, write the report, print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--folder", type=Path, help="kept, and used again")
    parser.add_argument("--no-pictures", action="store_true")
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = given.folder or Path(temporary)
        if not (root / "results").is_dir():
            make(root, given.cases)
        profile = cProfile.Profile(time.process_time)
        start = time.process_time()
        if given.profile:
            profile.enable()
        page = report(NAME, root, pictures=not given.no_pictures)
        profile.disable()
        seconds = time.process_time() - start
        print(
            f"{given.cases} cases: {page.stat().st_size / 1e6:.2f} MB, JSON "
            f"{page.with_suffix('.json').stat().st_size / 1e6:.2f} MB, "
            f"{seconds:.1f} s of processor time"
        )
        if given.profile:
            pstats.Stats(profile).sort_stats("cumulative").print_stats(60)


def make(root: Path, cases: int) -> None:
    """Write raw data, fingerprint, plan and folds that nobody trained."""
    rng = np.random.default_rng(0)
    raw = root / "raw" / NAME
    ids = [f"case_{number:04d}" for number in range(cases)]
    for case in ids:
        labels = _labels(rng)
        noise = rng.normal(size=SHAPE)
        _write(raw / "imagesTr" / f"{case}_0000.nii.gz", (labels + noise).astype("f4"))
        _write(raw / "labelsTr" / f"{case}.nii.gz", labels)
    described = {
        "channel_names": {"0": "MR"},
        "labels": LABELS,
        "numTraining": cases,
        "file_ending": ".nii.gz",
    }
    (raw / "dataset.json").write_text(json.dumps(described))
    fingerprint(NAME, root, workers=1)
    plan(NAME, root)
    for fold in range(FOLDS):
        _write_fold(root, raw, fold, ids[fold::FOLDS], rng)


def _labels(rng: np.random.Generator) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    for value in range(1, len(LABELS)):
        start = rng.integers(1, [3, 20, 20])
        size = rng.integers(4, [7, 16, 16])
        labels[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] = value
    return labels


def _write_fold(
    root: Path, raw: Path, fold: int, ids: list[str], rng: np.random.Generator
) -> None:
    place = root / "results" / NAME / "unet" / "3d_fullres" / f"fold_{fold}"
    for case in ids:
        drawn = sitk.GetArrayFromImage(
            sitk.ReadImage(raw / "labelsTr" / f"{case}.nii.gz")
        )
        said = np.roll(drawn, int(rng.integers(0, 4)), -1)
        _write(place / "validation" / f"{case}.nii.gz", said)
    evaluate(place / "validation", raw, cases=ids, workers=1)
    (place / "checkpoint_final.pt").write_bytes(b"")
    rows = [
        {
            "iteration": 250 * epoch,
            "progress": epoch / 1000,
            "seconds": 30.0 * epoch,
            "learning_rate": 0.01,
            "loss": 1 / epoch,
            "validation_loss": 1.2 / epoch,
            "score": 1 - 1 / epoch,
            "average_score": 1 - 1.1 / epoch,
            "seconds_per_iteration": 0.1,
            "waiting_for_loader": 0.0,
        }
        for epoch in range(1, 1001)
    ]
    (place / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run = {
        "recipe": {"name": "nnunet"},
        "device": "cpu",
        "training_cases": 4 * len(ids),
        "validation_cases": len(ids),
    }
    (place / "run.json").write_text(json.dumps(run))


def _write(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(sitk.GetImageFromArray(array), path)


if __name__ == "__main__":
    main()
