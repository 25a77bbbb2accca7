"""How long does `check` take, in a fresh process, beside another version of autoseg?

Both run by turns, each in a process of its own; medians and their ratio::

    python benchmarks/check_speed.py DATASET --before CHECKOUT [--rounds 8]

CHECKOUT is a folder with the other version, such as a work tree of an older commit.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


def timed(checkout: Path, dataset: Path) -> tuple[float, float]:
    """Return seconds by the clock and of the processor that a check takes."""
    place = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "autoseg", "check", str(dataset)],
        cwd=checkout, env=place, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    passed = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return passed, used


def main() -> None:
    """Measure, and print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=8)
    arguments = parser.parse_args()
    dataset = arguments.dataset.resolve()
    sides = {"before": arguments.before.resolve(), "now": HERE}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for checkout in sides.values():
        timed(checkout, dataset)  # files are in memory afterwards
    for _ in range(arguments.rounds):
        for name, checkout in sides.items():
            found[name].append(timed(checkout, dataset))
    for number, what in enumerate(("by the clock", "of the processor")):
        middle = {
            name: statistics.median(one[number] for one in runs)
            for name, runs in found.items()
        }
        ends = [sorted(one[number] for one in runs) for runs in found.values()]
        print(
            f"{what}: before {middle['before']:.2f} s ({ends[0][0]:.2f} to "
            f"{ends[0][-1]:.2f}), now {middle['now']:.2f} s ({ends[1][0]:.2f} to "
            f"{ends[1][-1]:.2f}), ratio {middle['now'] / middle['before']:.2f}"
        )


if __name__ == "__main__":
    main()
