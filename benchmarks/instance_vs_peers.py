"""Equal time, equal images: instances by autoseg, StarDist and Cellpose from scratch.

Each tool trains on the same images, for the same wall-clock time, on as many cores, and
predicts the validation fold; autoseg's metrics score all of them. What a tool reached
is kept in --work, so they may run one after the other; without a tool, the last command
shows what is there::

    python benchmarks/instance_vs_peers.py DATASET --minutes 30 --tools autoseg
    python benchmarks/instance_vs_peers.py DATASET --minutes 30 --tools stardist \\
        --stardist-python ENV/bin/python
    python benchmarks/instance_vs_peers.py DATASET --minutes 30 --tools cellpose \\
        --cellpose-python ENV/bin/python
    python benchmarks/instance_vs_peers.py DATASET --minutes 30 --tools
    python benchmarks/instance_vs_peers.py DATASET --minutes 30 --again 3 \\
        --tools autoseg stardist --stardist-python ENV/bin/python

The last one predicts and scores again with what was trained before, the tools by turns:
seconds an image are medians over the rounds.

DATASET is 2-D, one channel, PNG, in our layout, as Dataset018_DSB2018. The environments
need ``stardist==0.9.2 tensorflow-cpu`` and ``torch cellpose==3.1.1.3 pillow``.

Training time is the wall clock; processor time stands beside it: if that is much less
than time x cores, something else was running and the comparison is not fair. Reading
files, making autoseg's data set ready (printed), Cellpose's flows and its timing of two
epochs, and StarDist's search for thresholds are not counted; autoseg's own search is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from autoseg.datasets.read import load_dataset
from autoseg.evaluate.aggregate import Statistic, aggregate
from autoseg.metrics.instances import score_instances
from autoseg.metrics.pooled import POOLED_INSTANCES
from autoseg.preprocess.folds import make_splits
from autoseg.spec.json import dumps, write_text

TOOLS = ("autoseg", "stardist", "cellpose")
DRIVERS = Path(__file__).parent / "instance_peers"
SHOWN = {
    "map_pooled": "mAP",
    "ap_50_pooled": "AP50",
    "ap_70_pooled": "AP70",
    "ap_90_pooled": "AP90",
    "map": "mAP/image",
    "ap_50": "AP50/image",
    "pq_pooled": "PQ",
    "seg_pooled": "SEG",
}


def main() -> None:
    """Run the tools that are asked for, and print a table of all that have run."""
    arguments = parse()
    dataset = arguments.dataset.absolute()
    train, validation = make_splits(load_dataset(dataset))[arguments.fold]
    folder = arguments.work.absolute() / dataset.name
    if arguments.images:  # autoseg itself has no such option, and takes all
        train, validation = train[: arguments.images], validation[: arguments.images]
    label = f"{arguments.minutes:g}min_{arguments.fold}_{arguments.seed}"
    print(f"load of this machine: {os.getloadavg()[0]:.1f}; cores: {os.cpu_count()}")
    job = {
        "data": str(dataset),
        "train": list(train),
        "validation": list(validation),
        "minutes": arguments.minutes,
        "threads": arguments.threads,
        "seed": arguments.seed,
        "fold": arguments.fold,
        "root": str(folder / f"root_{label}"),
        "options": arguments.autoseg_options.split(),
        "again": bool(arguments.again),
    }
    outs = {tool: folder / f"{tool}_{label}" for tool in arguments.tools}
    rounds: dict[str, list[Any]] = {tool: [] for tool in outs}
    for tool, out in list(outs.items()) * max(1, arguments.again):
        done = (out / "result.json").is_file()
        if done != job["again"]:
            print(f"{tool}: {'done already' if done else 'not trained yet'}, {out}")
            continue
        (out / "predictions").mkdir(parents=True, exist_ok=True)
        run(tool, {**job, "out": str(out)}, arguments)
        told = json.loads((out / "done.json").read_text())
        rounds[tool].append(told["seconds_per_image"])
        if job["again"]:
            print(f"{tool}: {np.mean(rounds[tool][-1]):.3f} s an image", flush=True)
            told = {
                **json.loads((out / "result.json").read_text()),
                "seconds_per_image": np.median(rounds[tool], axis=0).tolist(),
            }
        write_text(out / "result.json", dumps(told))
    table(folder, label, dataset, validation)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--tools", nargs="*", choices=TOOLS, default=["autoseg"])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--again", type=int, default=0, metavar="ROUNDS", help="predict again"
    )
    parser.add_argument("--images", type=int, help="of each side only so many: a trial")
    parser.add_argument("--stardist-python", default=sys.executable)
    parser.add_argument("--cellpose-python", default=sys.executable)
    parser.add_argument(
        "--autoseg-options", default="", help="more words for `autoseg train`"
    )
    parser.add_argument("--work", type=Path, default=Path("benchmark_instance"))
    return parser.parse_args()


def run(tool: str, job: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    """Train and predict with one tool, by its own Python; its words go to a file."""
    out = Path(job["out"])
    pythons = {
        "autoseg": sys.executable,
        "stardist": arguments.stardist_python,
        "cellpose": arguments.cellpose_python,
    }
    write_text(out / "job.json", dumps(job))
    threads = str(job["threads"])
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    environment = {**os.environ, **dict.fromkeys(names, threads)}
    with (out / "log.txt").open("a") as log:
        if tool == "autoseg" and not job["again"]:
            words = [sys.executable, "-m", "autoseg", "plan_and_preprocess"]
            begun = time.perf_counter()
            words += [job["data"], "--root", job["root"], "-c", "2d"]
            finish(words, log, environment, out)
            print(f"autoseg: ready after {time.perf_counter() - begun:.0f} s")
        if not job["again"]:
            print(f"{tool}: {job['minutes']:g} minutes of training; see {out}")
            sys.stdout.flush()
        driver = DRIVERS / f"{tool}_driver.py"
        finish([pythons[tool], driver, out / "job.json"], log, environment, out)


def finish(
    words: Sequence[Any], log: Any, environment: Mapping[str, str], out: Path
) -> None:
    """Run a command; end with its last lines if it fails."""
    done = subprocess.run(
        list(map(str, words)), stdout=log, stderr=subprocess.STDOUT, env=environment
    )
    if done.returncode:
        last = (out / "log.txt").read_text().splitlines()[-15:]
        sys.exit("\n".join([*last, f"failed; see {out / 'log.txt'}"]))


def score(
    predictions: Path, dataset: Path, cases: Sequence[str]
) -> dict[str, Statistic]:
    """Score a folder of predictions."""
    scores = {
        case: score_instances(
            read(predictions / f"{case}.png"),
            read(dataset / "labelsTr" / f"{case}.png"),
            (1.0, 1.0),
        )
        for case in cases
    }
    return aggregate(scores, pooled=POOLED_INSTANCES)[1]


def read(path: Path) -> np.ndarray:
    """Read ids."""
    return np.asarray(Image.open(path)).astype(np.int32)


def table(folder: Path, label: str, dataset: Path, cases: Sequence[str]) -> None:
    """Print what the tools reached that have run."""
    heads = [f"{name:>11}" for name in SHOWN.values()]
    print(f"\n{len(cases)} validation images; wall-clock and processor time in seconds")
    print(f"{'':10}{'trained':>9}{'CPU':>8}{'steps':>8}{'s/image':>9}", *heads, sep="")
    for tool in TOOLS:
        out = folder / f"{tool}_{label}"
        if not (out / "result.json").is_file():
            continue
        result = json.loads((out / "result.json").read_text())
        found = score(out / "predictions", dataset, cases)
        per_image = float(np.mean(result["seconds_per_image"]))
        cells = [f"{found[metric].mean:11.3f}" for metric in SHOWN]
        print(
            f"{tool:10}{result['train_seconds']:9.0f}{result['train_cpu_seconds']:8.0f}"
            f"{result['steps']:8d}{per_image:9.3f}",
            *cells,
            sep="",
        )
        low, high = found["map_pooled"].low, found["map_pooled"].high
        print(f"{'':10}mAP with its 95 % interval over images: [{low:.3f}, {high:.3f}]")


if __name__ == "__main__":
    main()
