"""Does a killed command leave anything behind, and does it end as if it had not been?

Makes tiny data sets, runs a command to its end, and then again from the same beginning,
killed (SIGKILL, the whole process group) at a random moment, some of them twice, and
then to its end. All files are compared with those of the undisturbed run: their names
(what is missing, and what is left over, such as a temporary file or a lock), and their
bytes; where a file says when or how long, everything else in it::

    python benchmarks/kills.py [--trials 4] [--seed 1] [--kinds semantic_png ...]
    python benchmarks/kills.py --stages find_best run --kinds instance_png

Of `run`, whose trainings end by the clock, names are compared, and the bytes of what
comes before training. To be quick, a process imports everything once, and each trial is
a fork of it. Exit code 1 if a command failed again, a file differs, or something is
left over. POSIX only.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mutated.equal import files_in, same
from mutated.toys import KINDS

from autoseg.cli.main import main as autoseg

TOYS = ("semantic_png", "semantic_nifti", "instance_png", "landmark_table")
FEATURES = [4, 4, 4]
ITERATIONS = 6
TWICE = 0.3  # share of the trials that are killed twice
PATIENCE = 600.0  # seconds by the clock for a command to end
OF_RUN = ("fingerprint.json", "splits.json", "dataset.json", "plan.json")


@dataclass(frozen=True)
class Place:
    """Where a trial works: the same paths in each, for they stand in files."""

    work: Path
    kind: str

    @property
    def data(self) -> Path:
        return self.work / self.kind

    @property
    def root(self) -> Path:
        return self.work / "state" / "root"

    @property
    def out(self) -> Path:
        return self.work / "state" / "out"

    @property
    def configuration(self) -> str:
        return "2d" if "png" in self.kind or "table" in self.kind else "3d_fullres"


def cli(place: Place, *words: object) -> int:
    """Run a command with the root of the trial."""
    return autoseg([str(word) for word in (*words, "--root", place.root)])


def options() -> dict[str, Any]:
    """Return a training of a second, with a checkpoint after each iteration."""
    settings = {"batch_size": 2, "network.features": FEATURES}
    settings |= {"train.iterations_per_epoch": 2, "train.validation_batches": 1}
    known = {"iterations": ITERATIONS, "threads": 1, "workers": 0, "device": "cpu"}
    return {**known, "checkpoint_seconds": 0.0, "settings": settings}


def prepare(place: Place) -> int:
    return cli(place, "plan_and_preprocess", place.data, "--workers", "1")


def train(place: Place) -> int:
    from autoseg.train.stage import train as train_fold

    train_fold(place.data, place.configuration, 0, place.root, **_fitting(place))
    return 0


def all_folds(place: Place) -> int:
    from autoseg.train.folds import train_folds

    train_folds(place.data, place.configuration, place.root, **_fitting(place))
    return 0


def _fitting(place: Place) -> dict[str, Any]:
    """Return options with as many features as the planned network has stages."""
    given = options()
    for path in place.root.glob("preprocessed/*/plans/*.json"):
        stages = re.search(r'"features": \[([^\]]*)\]', path.read_text("utf-8"))
        if stages:
            given["settings"]["network.features"] = [4] * len(stages[1].split(","))
    return given


def predict(place: Place) -> int:
    model = next(iter(place.root.glob("results/*/*/*/fold_0"))).parent
    words = ["predict", "-i", place.data / "imagesTs", "-o", place.out / "predicted"]
    words += ["-m", model, "--continue_prediction", "--device", "cpu"]
    extra = [] if place.kind.startswith("landmark") else ["--save_probabilities"]
    return cli(place, *words, *extra)


def find_best(place: Place) -> int:
    return cli(place, "find_best", place.data, "--device", "cpu", "--workers", "1")


def export(place: Place) -> int:
    words = ["export", place.data, place.configuration, "-o", place.out / "model.zip"]
    return cli(place, *words)


def report(place: Place) -> int:
    return cli(place, "report", place.data)


def run(place: Place) -> int:
    words = ["run", place.data, "-o", place.out / "found", "--time-budget", "8s"]
    return cli(place, *words, "--threads", "1", "--workers", "1", "--folds", "1")


STAGES: dict[str, Callable[[Place], int]] = {
    "plan_and_preprocess": prepare,
    "train": train,
    "train all-folds": all_folds,
    "predict": predict,
    "find_best": find_best,
    "export": export,
    "report": report,
    "run": run,
}


def fork(place: Place, stage: str, said: Path) -> int:
    """Begin a stage in a process of its own, and return its id."""
    child = os.fork()
    if child:
        return child
    os.setsid()
    with contextlib.suppress(BaseException), said.open("wb") as caught:
        for number in (1, 2):
            os.dup2(caught.fileno(), number)
        code = 1
        try:
            code = STAGES[stage](place)
        except BaseException:  # what is said of it is looked at by the parent
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        place.work.joinpath("modules").write_text("\n".join(sys.modules))
        os._exit(code)
    os._exit(1)


def ended(child: int, seconds: float) -> int | None:
    """Wait for a process; return its exit code, None if it still runs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    return None


def to_its_end(place: Place, stage: str, said: Path) -> tuple[int, float]:
    """Run a stage; return its exit code, and the seconds that it took."""
    start = time.monotonic()
    child = fork(place, stage, said)
    code = ended(child, PATIENCE)
    if code is None:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        code = -1
    return code, time.monotonic() - start


def killed(place: Place, stage: str, said: Path, seconds: float) -> bool:
    """Run a stage and kill it after so many seconds; return whether it still ran."""
    child = fork(place, stage, said)
    if ended(child, seconds) is not None:
        return False
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


@dataclass
class Row:
    """What happened to one stage of one kind."""

    kind: str
    stage: str
    seconds: float
    trials: int = 0
    hit: int = 0
    failed: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    @property
    def bad(self) -> bool:
        return bool(self.failed or self.differ or self.left or self.missing)

    def __str__(self) -> str:
        found = {"failed": self.failed, "differ": self.differ}
        found |= {"left": self.left, "missing": self.missing}
        words = [f"{k}: {', '.join(sorted(set(v)))}" for k, v in found.items() if v]
        counts = f"{self.seconds:6.1f} s  {self.trials} trials, {self.hit} hits"
        return f"{self.kind:16} {self.stage:20} {counts}  {'; '.join(words) or 'equal'}"


def compare(row: Row, before: Path, now: Path) -> None:
    """Note how a folder differs from that of the undisturbed run."""
    wanted, found = files_in(before), files_in(now)
    row.left += [name for name in found if name not in wanted]
    row.missing += [name for name in wanted if name not in found]
    for name in wanted.keys() & found.keys():
        if row.stage == "run" and Path(name).name not in OF_RUN:
            continue
        if not same(wanted[name], found[name]):
            row.differ.append(name)


def try_stage(place: Place, stage: str, trials: int, random: Any) -> Row:
    """Run a stage undisturbed, and then killed; leave the undisturbed state."""
    state, start = place.work / "state", place.work / "start"
    whole, said = place.work / "whole", place.work / "said"
    shutil.rmtree(start, ignore_errors=True)
    shutil.copytree(state, start)
    code, seconds = to_its_end(place, stage, said)
    if code:
        print(said.read_text("utf-8", "replace"))
        raise SystemExit(f"{place.kind}: {stage} fails where nothing is killed")
    for name in place.work.joinpath("modules").read_text().split("\n"):
        with contextlib.suppress(Exception):
            __import__(name)
    shutil.rmtree(whole, ignore_errors=True)
    shutil.copytree(state, whole)
    if trials:  # everything is imported now, and this is how long it really takes
        shutil.rmtree(state)
        shutil.copytree(start, state)
        seconds = to_its_end(place, stage, said)[1]
    row = Row(place.kind, stage, seconds)
    if trials:
        compare(row, whole, state)  # two that nobody disturbs are the same, too
    for _ in range(trials):
        shutil.rmtree(state)
        shutil.copytree(start, state)
        row.trials += 1
        for _ in range(1 + (random.random() < TWICE)):
            row.hit += killed(place, stage, said, random.uniform(0, seconds))
        code, _ = to_its_end(place, stage, said)
        if code:
            last = said.read_text("utf-8", "replace").strip().splitlines()[-1:]
            row.failed.append(f"code {code} {' '.join(last)}")
        compare(row, whole, state)
    shutil.rmtree(state)
    shutil.copytree(whole, state)
    return row


def main(argv: Sequence[str] | None = None) -> int:
    """Kill, compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=4, help="of each stage")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="+", default=TOYS, choices=list(KINDS))
    parser.add_argument("--stages", nargs="+", default=list(STAGES))
    arguments = parser.parse_args(argv)
    os.environ["OMP_NUM_THREADS"] = "1"
    from mutations import WORK, cheapen, load

    load(WORK)
    cheapen()
    rows: list[Row] = []
    for kind in arguments.kinds:
        with tempfile.TemporaryDirectory() as folder:
            place = Place(Path(folder), kind)
            KINDS[kind](place.data)
            place.root.mkdir(parents=True)
            place.out.mkdir()
            for number, stage in enumerate(STAGES):
                if stage == "run":  # from the beginning
                    for path in (place.root, place.out):
                        shutil.rmtree(path)
                        path.mkdir()
                wanted = arguments.trials if stage in arguments.stages else 0
                random = np.random.default_rng([arguments.seed, number])
                if stage != "run" or wanted:
                    rows.append(try_stage(place, stage, wanted, random))
                    print(rows[-1], flush=True)
    return int(any(row.bad for row in rows))


if __name__ == "__main__":
    sys.exit(main())
