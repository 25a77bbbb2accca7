"""What does planning cost, in processor time and memory, whole process?

Writes fingerprints of several data sets, one of them of 100,000 simulated cases that
are all listed in it, runs ``autoseg plan`` on each and prints the processor time of the
planning alone and of the whole command, and the command's peak of physical memory::

    python benchmarks/plan_cost.py

With ``--networks`` it plans each network of `docs/networks.md` (or those that are
named) instead, by ``--network``, for three of the data sets.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from plan_memory import DATA, PLANNED, fingerprint_of

from autoseg.networks import NETWORKS
from autoseg.spec.fingerprint import Fingerprint, Intensity
from autoseg.workspace import Workspace

MANY = 100_000
SOME = ("hippocampus", "liver CT", "cells")  # data sets for which all are planned
MEASURE = """
import json, sys, time
start = time.process_time()
from autoseg.cli.main import main
import planners.stage as stage
inner, spent = stage.PLANNERS, [0.0]
class Timed:
    def __getitem__(self, name):
        def plan(*arguments):
            start = time.process_time()
            made = inner[name](*arguments)
            spent[0] = time.process_time() - start
            return made
        return plan
inner[sys.argv[2]]  # imported before the clock runs
stage.PLANNERS = Timed()
out, sys.stdout = sys.stdout, open("/dev/null", "w")
try:
    main(sys.argv[3:])
except SystemExit as end:
    assert not end.code, end.code
# Not getrusage: its peak begins with that of the process that started this one.
status = open("/proc/self/status").read()
peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
assert "torch" not in sys.modules
row = [spent[0], time.process_time() - start, peak]
print(json.dumps(row), file=out)
"""


@dataclass(frozen=True)
class Cost:
    """Of one command.

    Parameters
    ----------
    planning, whole : float
        Seconds of processor time: from fingerprint to plan, and of the process.
    peak : float
        Bytes of physical memory.
    """

    planning: float
    whole: float
    peak: float


def main() -> None:
    """Plan all of them and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="*", help="by default all there are")
    arguments = parser.parse_args()
    print("| data | what | rule | planning s | command s | peak MB |")
    print("|---|---|---|---|---|---|")
    worst = Cost(0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        for name, fingerprint in fingerprints():
            if arguments.networks is None:
                ways = list(by_planner())
            elif name in SOME:
                chosen = arguments.networks or NETWORKS.names()
                ways = [
                    ("unet", "bytes", network, ["--network", network])
                    for network in chosen
                ]
            else:
                continue
            root = write(Path(folder), fingerprint)
            for planner, rule, title, words in ways:
                cost = measure(root, fingerprint.dataset, planner, rule, words)
                worst = Cost(
                    max(worst.planning, cost.planning),
                    max(worst.whole, cost.whole),
                    max(worst.peak, cost.peak),
                )
                print(
                    f"| {name} | {title} | {rule} | {cost.planning:.2f} "
                    f"| {cost.whole:.2f} | {cost.peak / 1e6:.0f} |",
                    flush=True,
                )
    print(
        f"worst: {worst.planning:.2f} s planning, {worst.whole:.2f} s of the command, "
        f"{worst.peak / 1e6:.0f} MB"
    )


def by_planner() -> Iterator[tuple[str, str, str, list[str]]]:
    """Yield planner, rule, title and further words of each command."""
    for planner, preset, _ in (*PLANNED, ("residual_unet", "XL", 40)):
        words = ["--preset", preset] if preset else []
        for rule in ("nnunet", "bytes"):
            yield planner, rule, f"{planner} {preset or ''}", words


def fingerprints() -> list[tuple[str, Fingerprint]]:
    """Return one fingerprint for each data set of `plan_memory`, and a huge one."""
    found = []
    for number, row in enumerate(DATA):
        made, task = fingerprint_of(row)
        named = {"dataset": f"Dataset{number + 1:03d}_Made", "task": task}
        found.append((row[0], Fingerprint(**{**made.__dict__, **named})))
    return [*found, (f"{MANY:,} cases", many())]


def many() -> Fingerprint:
    """Return a fingerprint in which each of 100,000 cases is listed."""
    rng = random.Random(0)
    last, task = fingerprint_of(DATA[4])
    return Fingerprint(
        dataset="Dataset900_Many",
        unit="mm",
        channel_names=("CT",),
        num_cases=MANY,
        shapes=tuple((rng.randint(90, 700), 512, 512) for _ in range(MANY)),
        spacings=tuple(
            (rng.choice([0.7, 1.0, 2.5, 5.0]), *[rng.uniform(0.5, 0.98)] * 2)
            for _ in range(MANY)
        ),
        intensities=tuple(Intensity(**i.__dict__) for i in last.intensities),
        task=task,
    )


def write(folder: Path, fingerprint: Fingerprint) -> Path:
    """Write what `autoseg plan` looks for; return ROOT."""
    raw = folder / "raw" / fingerprint.dataset
    raw.mkdir(parents=True, exist_ok=True)
    (raw / "dataset.json").write_text(json.dumps({"labels": {"background": 0}}))
    fingerprint.save(Workspace(root=folder, dataset=fingerprint.dataset).fingerprint)
    return folder


def measure(
    root: Path, dataset: str, planner: str, rule: str, more: Sequence[str]
) -> Cost:
    """Run the command in a process of its own."""
    words = ["plan", dataset, "--root", str(root), "--planner", planner]
    words += ["--budget-rule", rule, *more]
    command = [sys.executable, "-c", MEASURE, "", planner, *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return Cost(*json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
