"""What half of the labels are worth: with `annotated`, and without.

The training cases of a fold are dealt out into two data sets: one has lost its right
ventricles, the other its muscles. `autoseg merge` unites them. Three trainings with the
same network, recipe and seed, scored on the same fully labelled cases::

    python benchmarks/partly_annotated.py DATASETS/Dataset027_ACDC --work FOLDER

- full: all labels are there;
- partly: the united data set, which knows what each case says nothing of;
- naive: the same files, as if everything in them were annotated.

Prints the mean Dice of each class and their mean, and the processor time of each
training (user and system, of all threads).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.read import load_dataset
from autoseg.evaluate.summary import Summary
from autoseg.formats.base import find_format, read_labels
from autoseg.preprocess.folds import make_splits
from autoseg.spec.json import write_text
from autoseg.workspace import SUMMARY, VALIDATION, Workspace

LOST = {"HalfA": "RV", "HalfB": "MLV"}
CONFIGURATION, FOLD = "3d_fullres", 0
# Coarse and small, so that a CPU trains it in minutes; the question is what is lost.
SETTINGS = ("spacing=10x4x4", "patch_size=8x48x48", "network.features=8,16,32,32")


def autoseg(*words: object) -> float:
    """Run a command; return its processor time, or stop with what it said."""
    before = _spent()
    done = subprocess.run(
        [sys.executable, "-m", "autoseg", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words))}:\n{done.stdout}\n{done.stderr}")
    return _spent() - before


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def halves(dataset: Path, work: Path) -> None:
    """Write data sets: the training cases without a class each, and the held-out."""
    full = load_dataset(dataset)
    train, held_out = make_splits(full)[FOLD]
    parts = {"HalfA": train[::2], "HalfB": train[1::2], "Whole": held_out}
    labels: dict[str, int] = dict(full.raw["labels"])
    for name, ids in parts.items():
        folder = work / name
        if (folder / "dataset.json").is_file():
            continue
        lost = LOST.get(name)
        (folder / "labelsTr").mkdir(parents=True, exist_ok=True)
        listed = {}
        for case_id in ids:
            case = full.case(case_id)
            found, geometry = read_labels(Path(str(case.annotation)), full)
            if lost is not None:
                found = np.where(found == labels[lost], 0, found).astype(np.uint8)
            target = folder / "labelsTr" / f"{case_id}.nii.gz"
            find_format(target, None).write_labels(target, found, geometry)
            images = [str(path) for path in case.images]
            listed[case_id] = {"images": images, "label": str(target)}
        kept = {n: v for n, v in labels.items() if n != lost}
        _describe(folder, full.raw, kept, listed)


def _describe(
    folder: Path, raw: Any, labels: dict[str, int], cases: dict[str, Any], **more: Any
) -> None:
    kept = {key: raw[key] for key in ("channel_names", "file_ending")}
    said = {**kept, "labels": labels, "dataset": cases, **more}
    write_text(folder / "dataset.json", json.dumps(said, indent=2))


def variants(dataset: Path, work: Path) -> dict[str, Path]:
    """Write the data sets to train on, each with the same held-out cases."""
    halves(dataset, work)
    united, full = work / "Partly", load_dataset(dataset)
    if not (united / "dataset.json").is_file():
        autoseg("merge", *(work / n for n in (*LOST, "Whole")), "-o", united)
    raw = json.loads((united / "dataset.json").read_text())
    cases = {
        name: {
            key: os.path.normpath(united / value)
            if key == "label"
            else [os.path.normpath(united / one) for one in value]
            for key, value in entry.items()
        }
        for name, entry in raw["dataset"].items()
    }
    train, held_out = make_splits(full)[FOLD]
    folds = [{"train": list(train), "val": list(held_out)}]
    whole = {
        case.id: {"images": [*map(str, case.images)], "label": str(case.annotation)}
        for case in full.training
    }
    made = {
        "full": (full.raw["labels"], whole, {}),
        "partly": (raw["labels"], cases, {"annotated": raw["annotated"]}),
        "naive": (raw["labels"], cases, {}),
    }
    for name, (labels, listed, more) in made.items():
        folder = work / f"Acdc_{name}"
        folder.mkdir(exist_ok=True)
        _describe(folder, full.raw, labels, listed, splits=folds, **more)
    return {name: work / f"Acdc_{name}" for name in made}


def main() -> None:
    """Train what is not trained yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--iterations", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    work, root = arguments.work.absolute(), arguments.work.absolute() / "root"
    work.mkdir(parents=True, exist_ok=True)
    print(f"{'':8}{'mean':>7}{'RV':>7}{'MLV':>7}{'LVC':>7}  processor s")
    for name, folder in variants(arguments.dataset.absolute(), work).items():
        place = Workspace(root=root, dataset=folder.name)
        fold = place.fold("unet", CONFIGURATION, FOLD)
        spent = 0.0
        if not (fold / VALIDATION / SUMMARY).is_file():
            words = ["plan_and_preprocess", folder, "--root", root]
            autoseg(*words, "-c", CONFIGURATION, "-np", 1, "--set", *SETTINGS)
            words = ["train", folder, CONFIGURATION, FOLD, "--root", root]
            words += ["--iterations", arguments.iterations, "--seed", arguments.seed]
            words += ["--batch-size", arguments.batch_size, "--recipe", "fast"]
            words += ["--threads", arguments.threads, "-np", 1]
            spent = autoseg(*words)
        found = Summary.load(fold / VALIDATION / SUMMARY)
        dice = [found.classes[one]["dice"].mean for one in ("RV", "MLV", "LVC")]
        row = "".join(f"{value:7.3f}" for value in (found.mean("dice"), *dice))
        print(f"{name:8}{row}  {spent:.0f}")


if __name__ == "__main__":
    main()
