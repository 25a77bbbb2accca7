"""Does a training choose the patch that people would find by trying?

Pictures of 1,024 x 1,024 are made of a data set's small ones, side by side: ten to
learn from, five more to be scored. Each row trains one fold on the ten in the same
time; the first leaves everything to autoseg, the others fix the patch. Rows that were
measured stay in rows.json and are not measured again, so that the work may be done in
pieces::

    python benchmarks/patch_choice.py Dataset018_DSB2018 --minutes 10 --folder FOLDER
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

EDGE, TRAINED, SCORED = 1024, 10, 5
BY_ITSELF = "by itself"
SHOWN = ("map_pooled", "ap_50_pooled", "pq_pooled")


def mosaic(files: list[tuple[Path, Path]]) -> tuple[Any, Any]:
    """Return one picture and its ids, made of pictures side by side, row by row.

    Parameters
    ----------
    files : list of (Path, Path)
        Pictures and id maps, taken from the front and removed.
    """
    picture = np.zeros((EDGE, EDGE), np.uint8)
    ids = np.zeros((EDGE, EDGE), np.uint16)
    top = 0
    while top < EDGE:
        left, height = 0, EDGE - top
        while left < EDGE:
            image, label = (np.asarray(Image.open(file)) for file in files.pop(0))
            rows = min(image.shape[0], EDGE - top)
            columns = min(image.shape[1], EDGE - left)
            here = np.s_[top : top + rows, left : left + columns]
            picture[here] = image[:rows, :columns]
            label = label[:rows, :columns].astype(np.uint16)
            ids[here] = np.where(label > 0, label + ids.max(), 0)
            left += columns
            height = min(height, rows)
        top += height
    return picture, ids


def make(dataset: Path, folder: Path) -> None:
    """Write the pictures as two plain folders, and those to be scored."""
    labels = {
        file.name.split(".")[0]: file for file in (dataset / "labelsTr").iterdir()
    }
    images = sorted((dataset / "imagesTr").iterdir())
    pairs = [
        (file, labels[file.name.split(".")[0].removesuffix("_0000")]) for file in images
    ]
    order = np.random.default_rng(0).permutation(len(pairs))
    files = [pairs[index] for index in order]
    for number in range(TRAINED + SCORED):
        scored = number >= TRAINED
        picture, ids = mosaic(files)
        for where, array in (("images", picture), ("masks", ids)):
            to = folder / ("scored" if scored else "pictures") / where
            to.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(to / f"mosaic{number:02}.png")


def autoseg(*words: str) -> str:
    """Run a command of autoseg, and return what it printed."""
    command = [sys.executable, "-m", "autoseg", *words]
    return subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    ).stdout


def measure(folder: Path, row: str, minutes: float) -> dict[str, Any]:
    """Train one row, predict the pictures that it has not seen, and score them."""
    name = "patch_" + row.replace(" ", "_")
    data, root = str(folder / "pictures"), str(folder / "root")
    model, found = folder / "root/results/pictures" / name / "2d", folder / name
    fixed = [] if row == BY_ITSELF else ["--set", f"patch_size={row},{row}"]
    planned = ["--root", root, "--name", name, *fixed]  # with a network for the patch
    autoseg("plan_and_preprocess", data, "-c", "2d", *planned)
    time = ["--time-budget", f"{minutes * 60:.0f}s"]
    where = ["--root", root, "--plan", name]
    autoseg("train", data, "2d", "0", *time, *where, "--no-validation", *fixed)
    scored = folder / "scored"
    autoseg(
        "predict",
        "-m",
        str(model),
        "-f",
        "0",
        "-i",
        str(scored / "images"),
        "-o",
        str(found),
    )
    autoseg(
        "evaluate",
        "-g",
        str(scored / "masks"),
        "-p",
        str(found),
        "-d",
        data,
        "--root",
        root,
    )
    scores = json.loads((found / "summary.json").read_text())["foreground"]
    run = json.loads((model / "fold_0/run.json").read_text())
    last = (model / "fold_0/log.jsonl").read_text().splitlines()[-1]
    return {
        "iterations": json.loads(last)["iteration"],
        "fitted": run["fitted"],
        **{name: scores[name]["mean"] for name in SHOWN},
    }


def main() -> None:
    """Measure the rows that are missing, and print all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--patches", nargs="*", default=["128", "256", "512", "1024"])
    given = parser.parse_args()
    if not (given.folder / "scored").exists():
        make(given.dataset, given.folder)
        autoseg("init", str(given.folder / "pictures"), "--no-picture")
    kept = given.folder / "rows.json"
    rows = json.loads(kept.read_text()) if kept.exists() else {}
    for row in [BY_ITSELF, *given.patches]:
        if row not in rows:
            rows[row] = measure(given.folder, row, given.minutes)
            kept.write_text(json.dumps(rows))
    best = max(found["map_pooled"] for found in rows.values())
    print("| patch | iterations | mean AP | of the best | AP50 | PQ | made to fit |")
    print("|---|---|---|---|---|---|---|")
    for row, found in rows.items():
        scores = [found["map_pooled"], found["map_pooled"] / best]
        scores += [found["ap_50_pooled"], found["pq_pooled"]]
        shown = " | ".join(f"{score:.3f}" for score in scores)
        print(f"| {row} | {found['iterations']} | {shown} | {found['fitted']} |")


if __name__ == "__main__":
    main()
