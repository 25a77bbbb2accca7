"""Networks on one data set, trained equally long, and held against the first.

Every network is planned, trained on one fold, predicted with and scored by the real
commands; the table has the mean Dice of the held-out cases, the gain over the first
network on the same cases with its 95 % interval, and what it cost::

    python benchmarks/networks.py DATASET --iterations 300
    python benchmarks/networks.py DATASET --seconds 600 --networks plain_unet mednext
    python benchmarks/networks.py DATASET --seconds 600 --scale planned --batch 4 \\
        --networks plain_unet plain_unet@fit light_unet@2G

With ``--iterations`` all take as many steps, with ``--seconds`` all train equally long,
whatever they make of it; preprocessing and validation come before and after. With
``--processor`` those seconds are the processor's: a few steps of each network are timed
before, and it takes as many as fit; so it does not matter what else the machine does.
Networks
are small and patches are of one size, so that a CPU can do it: this compares networks
at this size, and says nothing of how good they can be. ``--scale planned`` takes
networks and patches as they are planned by default instead. ``NAME@2G`` is planned with
``--operations 2G``; ``NAME@fit`` is made as small as fits into the time, which
``autoseg train --time-budget`` does unless it is told to keep the network;
``NAME@2G@fit`` both.

Objects of a data set of instances are learnt as one class, the foreground. Finished
runs are kept in WORK/runs.jsonl: the same command goes on with the others, also after a
stop in the middle of a training, and commands with other networks or data sets may run
at the same time. --table only prints what is there.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.evaluate.compare import compare_pair
from autoseg.evaluate.measures import mean_over_classes
from autoseg.evaluate.summary import Summary
from autoseg.formats.base import find_format
from autoseg.spec.plan import Plan
from autoseg.spec.run import Run
from autoseg.workspace import LOG, RUN, SUMMARY, VALIDATION, Workspace
from planners.memory.costs import cost_of
from planners.setting import Setting

NETWORKS = (
    "plain_unet",
    "residual_unet",
    "attention_unet",
    "unetpp",
    "mednext",
    "segnet",
    "unetr",
    "resunet",
    "u_mamba",
    "light_unet",
)
FIT = "fit"
PACED = (5, 5, 55)  # steps of trainings; the last two are timed, for their difference
SMALL_SCALE, PLANNED = "small", "planned"
# By data set and configuration: what fits a CPU.
SMALL: dict[str, dict[str, dict[str, Any]]] = {
    "Dataset004_Hippocampus": {
        "3d_fullres": {"patch_size": [32, 48, 32], "batch_size": 2},
        "2d": {"patch_size": [48, 32], "batch_size": 8},
    },
    "Dataset018_DSB2018": {"2d": {"patch_size": [128, 128], "batch_size": 4}},
}
WIDTHS = {"network.features": [8, 16, 32, 64]}
# Networks whose widths are others; UNETR's at a width that is as dear as the others.
OWN: dict[str, dict[str, Any]] = {
    "unetr": {
        "network.features": [8, 16, 32],
        "network.hidden": 96,
        "network.mlp": 192,
        "network.attention": 4,
    },
}


@dataclass(frozen=True)
class Job:
    """One training."""

    dataset: str
    configuration: str
    network: str
    scale: str
    length: str
    seed: int

    @property
    def plan(self) -> str:
        """Return a name for its plan, and so for its folder."""
        name = f"{self.network}_{self.scale}_{self.length}_{self.seed}"
        return name.replace(" ", "").replace("@", "_")

    @property
    def budget(self) -> str:
        """Return what stands behind ``--operations``; empty without a budget."""
        found = [word for word in self.network.split("@")[1:] if word != FIT]
        return found[0] if found else ""

    @property
    def fits(self) -> bool:
        """Whether the network may be made smaller, so that training fits its time."""
        return FIT in self.network.split("@")


def jobs(arguments: argparse.Namespace) -> Iterator[Job]:
    """Yield all trainings, configuration by configuration."""
    seconds, name = arguments.seconds, arguments.dataset.name
    unit = "processor s" if arguments.processor else "s"
    length = f"{seconds} {unit}" if seconds else f"{arguments.iterations} it"
    for seed in arguments.seeds:
        for configuration in arguments.configurations or SMALL[name]:
            for network in arguments.networks:
                yield Job(name, configuration, network, arguments.scale, length, seed)


def run(words: Sequence[object], log: Path) -> None:
    """Run a command, its output to a file; stop with its last lines if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        command = [sys.executable, "-m", "autoseg", *map(str, words)]
        done = subprocess.run(
            command, check=False, stdout=file, stderr=subprocess.STDOUT
        )
    if done.returncode:
        sys.exit("\n".join([*log.read_text().splitlines()[-15:], f"failed; see {log}"]))


def semantic_cases(dataset: Path, count: int | None, work: Path) -> Path:
    """Return a data set of the first cases of another, objects as one class.

    Images are links. What is of labels and has all cases is returned as it is.
    """
    described = json.loads((dataset / "dataset.json").read_text())
    objects = described.pop("task", "semantic") == "instance"
    if not count and not objects:
        return dataset
    folder = work / "raw" / dataset.name
    if (folder / "dataset.json").is_file():
        return folder
    labels = sorted(p for p in (dataset / "labelsTr").iterdir() if p.name[0] != ".")
    chosen = labels[:count]
    cases = {path.name.split(".")[0] for path in chosen}
    images = [
        path
        for path in sorted((dataset / "imagesTr").iterdir())
        if path.name.split(".")[0].rpartition("_")[0] in cases
    ]
    for part, files in (("labelsTr", chosen), ("imagesTr", images)):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for file in files:
            made = folder / part / file.name
            if objects and part == "labelsTr":
                kind = find_format(file)
                found, geometry = kind.read_labels(file)
                kind.write_labels(made, (found > 0).astype(np.uint8), geometry)
            elif not made.is_symlink():
                made.symlink_to(file)
    described["numTraining"] = len(chosen)
    described.pop("training", None)
    (folder / "dataset.json").write_text(json.dumps(described))
    return folder


def settings_of(job: Job) -> list[str]:
    """Return what is set, as words of a command."""
    if job.scale == PLANNED:
        return []
    shared = WIDTHS if job.network not in OWN else {}
    chosen = {
        **shared,
        **OWN.get(job.network, {}),
        **SMALL[job.dataset][job.configuration],
    }
    return [f"{key}={json.dumps(value)}" for key, value in chosen.items()]


def prepare(job: Job, arguments: argparse.Namespace, log: Path) -> None:
    """Plan a network, and bring the cases to its grid."""
    where = ["--root", arguments.work / "autoseg"]
    words = ["plan", arguments.dataset, *where, "--name", job.plan]
    words += ["--network", job.network.partition("@")[0]]
    if job.budget:
        words += ["--operations", job.budget]
    settings = settings_of(job)
    run([*words, "--set", *settings] if settings else words, log)
    words = [arguments.dataset, "--plan", job.plan, "-c", job.configuration, *where]
    run(["preprocess", *words, "--workers", 1], log)


def steps_in(seconds: float, words: Sequence[object], log: Path) -> int:
    """Return how many steps of a training take so many seconds of a processor.

    Two short trainings differ by some steps alone. One before them fills the caches.
    """
    spent = []
    for count in PACED:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        length = ["--iterations", count, "--no-validation", "--overwrite"]
        run([*words, *length], log)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(
            after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        )
    steps = PACED[-1] - PACED[-2]
    return max(1, int(seconds * steps / (spent[-1] - spent[-2])))


def length_of(
    job: Job, arguments: argparse.Namespace, paced: int | None
) -> list[object]:
    """Return seed, length and batch of a training, as words of a command."""
    words: list[object] = ["--seed", job.seed]
    if paced is not None:
        words += ["--iterations", paced, "--overwrite"]
    elif arguments.seconds:
        words += ["--time-budget", f"{arguments.seconds}s"]
        words += [] if job.fits else ["--keep-network"]
    else:
        words += ["--iterations", arguments.iterations]
    if arguments.batch and not job.fits:
        words += ["--batch-size", arguments.batch]
    return words


def train(job: Job, arguments: argparse.Namespace) -> dict[str, Any]:
    """Plan, train, predict and score; return a row of the table."""
    root, dataset = arguments.work / "autoseg", arguments.dataset
    space, log = Workspace(root=root, dataset=job.dataset), root / f"{job.dataset}.txt"
    where = ["--root", root]
    if not space.fingerprint.is_file():
        run(["fingerprint", dataset, *where], log)
    prepare(job, arguments, log)
    words = ["train", dataset, job.configuration, arguments.fold, *where]
    words += ["--plan", job.plan, "--device", arguments.device]
    if arguments.threads:
        words += ["--threads", arguments.threads]
    paced = None
    if arguments.processor:
        paced = steps_in(arguments.seconds, words, log)
    run([*words, *length_of(job, arguments, paced), "--no-validation"], log)
    start = time.perf_counter()
    run(words, log)  # the validation that was left out
    validation = time.perf_counter() - start
    # The largest child so far: it grows only where this network needs more.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    folder = space.fold(job.plan, job.configuration, arguments.fold)
    rows = [json.loads(row) for row in (folder / LOG).read_text().splitlines()]
    plan = Plan.load(folder.parent / "plan.json")  # what was trained, if it was fitted
    cost = cost_of(plan, job.configuration, Setting(precision="fp32", device="cpu"))
    batch = Run.load(folder / RUN).batch_size
    summary = Summary.load(folder / VALIDATION / SUMMARY)
    pace = [row["seconds_per_iteration"] for row in rows]
    return {
        **asdict(job),
        "fold": arguments.fold,
        "cases": {
            case: mean_over_classes(scores, "dice")
            for case, scores in summary.cases.items()
        },
        "parameters": cost.parameters,
        "operations": cost.operations(batch),
        "patch": list(plan.configuration(job.configuration).patch_size),
        "batch": batch,
        "pass_operations": 2 * cost.multiply_adds,
        "step_bytes": cost.total(batch),
        "peak_bytes": peak,
        "iterations": rows[-1]["iteration"],
        "seconds": rows[-1]["seconds"],
        "seconds_per_iteration": statistics.median(pace),
        "validation_seconds": validation,
        "load": os.getloadavg()[0],
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return accuracy, gain over the first network and costs, in Markdown."""
    lines = []
    for kind in dict.fromkeys(map(_kind, rows)):
        dataset, configuration, scale, length = kind
        mine = [row for row in rows if _kind(row) == kind]
        cases, seeds = len(mine[0]["cases"]), {row["seed"] for row in mine}
        lines += [
            "",
            f"{dataset}, {configuration}, {scale}, {length}, {cases} held-out cases, "
            f"{len(seeds)} seed{'s' * (len(seeds) > 1)}",
            "",
            "| network | Dice | gain over the first [95 %] | patch, batch | parameters "
            "| operations a pass | memory of a step | seconds a step | steps |",
            "|---" * 9 + "|",
        ]
        names = list(dict.fromkeys(row["network"] for row in mine))
        values = {name: _values(mine, name) for name in names}
        for name in names:
            own = [row for row in mine if row["network"] == name]
            lines.append(_line(name, own, values, names[0]))
    return "\n".join(lines)


def _kind(row: dict[str, Any]) -> tuple[str, str, str, str]:
    return row["dataset"], row["configuration"], row["scale"], row["length"]


def _values(rows: Sequence[dict[str, Any]], name: str) -> dict[str, float]:
    """Return the Dice of each case, the mean of all seeds."""
    own = [row["cases"] for row in rows if row["network"] == name]
    return {case: statistics.fmean(r[case] for r in own) for case in own[0]}


def _line(
    name: str,
    own: Sequence[dict[str, Any]],
    values: dict[str, dict[str, float]],
    first: str,
) -> str:
    gain = ""
    if name != first:
        pair = compare_pair((first, values[first]), (name, values[name]), "dice")
        gain = f"{pair.gain:+.3f} [{pair.low:+.3f}, {pair.high:+.3f}]"
    pace = statistics.median(row["seconds_per_iteration"] for row in own)
    steps = statistics.fmean(row["iterations"] for row in own)
    one = own[0]
    return (
        f"| `{name}` | {statistics.fmean(values[name].values()):.3f} | {gain} "
        f"| {'x'.join(map(str, one['patch']))}, {one['batch']} "
        f"| {one['parameters'] / 1e6:.2f} M | {one['pass_operations'] / 1e9:.2f} G "
        f"| {one['step_bytes'] / 1e6:.0f} MB | {pace:.2f} | {steps:.0f} |"
    )


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, default=Path("benchmark_networks"))
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--configurations", nargs="+")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--iterations", type=int, default=300)
    length.add_argument("--seconds", type=int)
    parser.add_argument(
        "--processor", action="store_true", help="--seconds are those of a processor"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--fold", default="0")
    parser.add_argument("--scale", choices=(SMALL_SCALE, PLANNED), default=SMALL_SCALE)
    parser.add_argument("--batch", type=int, help="instead of the planned one")
    parser.add_argument("--cases", type=int, help="take the first of the data set only")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--table", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    if arguments.processor and not arguments.seconds:
        parser.error("--processor is about --seconds; give them")
    arguments.work = arguments.work.absolute()
    arguments.dataset = arguments.dataset.absolute()
    if not arguments.table:
        arguments.dataset = semantic_cases(
            arguments.dataset, arguments.cases, arguments.work
        )
    record = arguments.work / "runs.jsonl"
    rows = []
    if record.is_file():
        rows = [json.loads(row) for row in record.read_text().splitlines()]
    done = {Job(*(row[k] for k in Job.__dataclass_fields__)) for row in rows}
    for job in () if arguments.table else jobs(arguments):
        if job in done:
            continue
        row = train(job, arguments)
        rows.append(row)
        record.parent.mkdir(parents=True, exist_ok=True)
        with record.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(
            f"{job.configuration} {job.network}, {row['iterations']} steps: Dice "
            f"{statistics.fmean(row['cases'].values()):.4f}, "
            f"{row['seconds_per_iteration']:.3f} s/it (load {row['load']:.1f})",
            flush=True,
        )
    print(table(rows))


if __name__ == "__main__":
    main()
