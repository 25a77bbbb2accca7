"""Ten annotated cases: is there something to learn from images without annotation?

Hippocampus (Dataset004): ten cases are annotated, 160 others are images alone, and 43
are scored that no training has seen. Every way has the same time in all, by the clock
of training: what is spent on images alone is taken from the time with annotations.

- ``plain``: all of the time on the ten cases.
- ``pretrain``: a share on images alone, then the ten cases from there.
- ``teach``: half on the ten cases; what that model is sure of becomes cases; the other
  half on all of them, from the first model's weights.

Each run is a command of its own and leaves a JSON file, so that it can be done in
pieces, stopped and taken up: runs that have their file are left out::

    python benchmarks/few_cases.py Dataset004_Hippocampus --work few --seconds 600
    python benchmarks/few_cases.py Dataset004_Hippocampus --work few --only teach 1
    python benchmarks/few_cases.py Dataset004_Hippocampus --work few --table

But for ``full``, annotations of other cases are out of sight: the data set that is
planned has the ten cases alone, and ``teach`` and ``pretrain`` are given a folder of
images.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import time
from pathlib import Path

from autoseg import evaluate, plan_and_preprocess, predict, pretrain, teach, train
from autoseg.datasets.read import load_dataset
from autoseg.errors import UsageError

WAYS = ("plain", "pretrain", "teach", "full")
ANNOTATED, UNANNOTATED = 10, 160
CONFIGURATION = "3d_fullres"
NETWORK = {
    "network.features": [8, 16, 32, 64],
    "patch_size": [40, 56, 40],
}
SHARE = 0.4  # of the time that is spent on images alone


def prepare(source: Path, work: Path, most: int) -> None:
    """Write three folders: ten annotated cases, images alone, and cases to score."""
    if (work / "test" / "labels").is_dir():
        return
    cases = load_dataset(source).training
    step = len(cases) / (ANNOTATED + 1)
    few = [cases[int(step * (i + 1))] for i in range(ANNOTATED)]
    rest = [case for case in cases if case not in few]
    alone, scored = rest[: min(UNANNOTATED, most)], rest[UNANNOTATED:][:most]
    write_dataset(work / "raw" / "Few", few, source)
    write_dataset(work / "raw" / "Full", few + alone, source)
    for case in alone:
        copy(case.images[0], work / "images")
    for case in scored:
        copy(case.images[0], work / "test" / "images")
        copy(case.annotation, work / "test" / "labels")


def write_dataset(folder: Path, cases: list, source: Path) -> None:
    for case in cases:
        copy(case.images[0], folder / "imagesTr")
        copy(case.annotation, folder / "labelsTr")
    described = json.loads((source / "dataset.json").read_text())
    described.pop("dataset", None)
    described["numTraining"] = len(cases)
    (folder / "dataset.json").write_text(json.dumps(described, indent=1))


def copy(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, folder / path.name)


class Way:
    """One way with one seed, in a root of its own.

    Parameters
    ----------
    work : Path
        Of all runs.
    name : str
        One of `WAYS`.
    seed : int
        Of everything that is drawn.
    seconds : float
        In all; 0: by ``iterations``, for a rehearsal.
    iterations : int
        In all.
    threads : int
        Of each operation.
    """

    def __init__(self, work, name, seed, seconds, iterations, threads):
        self.work, self.name, self.seed = work, name, seed
        self.seconds, self.iterations = seconds, iterations
        self.root = work / f"{name}_{seed}"
        self.how = {
            "seed": seed,
            "threads": threads,
            "device": "cpu",
            "batch_size": 2,
            "settings": NETWORK,
        }
        annotated = "Full" if name == "full" else "Few"
        self.few = self.root / "raw" / annotated
        self.taught = 0  # cases

    def length(self, share: float) -> dict:
        if self.iterations:
            return {"iterations": max(1, round(share * self.iterations))}
        return {"time_budget": share * self.seconds, "keep_network": True}

    def fit(self, dataset, share, **more):
        return train(
            dataset, CONFIGURATION, "all", self.root, validation=False,
            **self.length(share), **self.how, **more,
        )  # fmt: skip

    def run(self) -> dict:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.work / "raw" / self.few.name, self.few)
        plan_and_preprocess(self.few, self.root, configurations=(CONFIGURATION,))
        start, used = time.monotonic(), time.process_time()
        fold = getattr(self, f"_{self.name}")()
        spent = time.monotonic() - start, time.process_time() - used
        out = self.root / "out"
        predict(fold.parent, self.work / "test" / "images", out, device="cpu")
        found = evaluate(out, self.work / "test" / "labels", dataset=self.few)
        dice = {name: of["dice"].mean for name, of in found.classes.items()}
        return {
            "way": self.name,
            "seed": self.seed,
            "seconds": round(spent[0], 1),
            "processor_seconds": round(spent[1], 1),
            "iterations": last_iteration(fold),
            "dice": dice,
            "mean_dice": statistics.mean(dice.values()),
            "cases": len(found.cases),
            "taught": self.taught,
        }

    def _plain(self):
        return self.fit(self.few, 1.0)

    _full = _plain

    def _pretrain(self):
        start = pretrain(
            self.work / "images", self.few, CONFIGURATION, self.root,
            **self.length(SHARE), **self.how,
        )  # fmt: skip
        return self.fit(self.few, 1 - SHARE, init_from=start)

    def _teach(self):
        first = self.fit(self.few, 0.5)
        taught = self.root / "raw" / "Taught"
        where = self.few, self.work / "images", first.parent, taught, self.root
        try:
            teach(*where, device="cpu")
            self.taught = len(load_dataset(taught).training) - ANNOTATED
        except UsageError as error:  # sure of nothing: the annotated cases have to do
            print(error)
            taught = shutil.copytree(self.few, taught)
        plan_and_preprocess(taught, self.root, configurations=(CONFIGURATION,))
        return self.fit(taught, 0.5, init_from=first / "checkpoint_final.pt")


def last_iteration(fold: Path) -> int:
    rows = (fold / "log.jsonl").read_text().splitlines()
    return int(json.loads(rows[-1])["iteration"])


def table(work: Path) -> None:
    print(f"{'way':10} {'seeds':>5} {'mean Dice':>10} {'of each seed':24} {'s':>7}")
    for name in WAYS:
        runs = [json.loads(f.read_text()) for f in sorted(work.glob(f"{name}_*.json"))]
        if runs:
            each = [run["mean_dice"] for run in runs]
            words = " ".join(f"{value:.3f}" for value in each)
            seconds = statistics.mean(run["seconds"] for run in runs)
            mean = statistics.mean(each)
            print(f"{name:10} {len(runs):5} {mean:10.4f} {words:24} {seconds:7.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=600, help="in all, of a run")
    parser.add_argument(
        "--iterations", type=int, default=0, help="instead: a rehearsal"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--only", nargs=2, metavar=("WAY", "SEED"), help="one run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most", type=int, default=10**6, help="images: a rehearsal")
    parser.add_argument("--table", action="store_true", help="of what was run")
    given = parser.parse_args()
    work = given.work.absolute()
    if not given.table:
        prepare(given.dataset.absolute(), work, given.most)
        runs = [(w, s) for s in given.seeds for w in WAYS]
        if given.only:
            runs = [(given.only[0], int(given.only[1]))]
        for name, seed in runs:
            file = work / f"{name}_{seed}.json"
            if file.is_file():
                continue
            way = Way(work, name, seed, given.seconds, given.iterations, given.threads)
            found = way.run()
            file.write_text(json.dumps(found, indent=1) + "\n")
            shutil.rmtree(way.root)
    table(work)


if __name__ == "__main__":
    main()
