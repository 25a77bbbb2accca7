"""What do fingerprint and preprocessing cost, here and in nnU-Net v2?

Both run the same stages on the same data set in turn, as whole processes from the
start of Python to its end, with the same number of workers. Time is wall time and,
since a busy machine disturbs that, processor time of all processes together; memory is
the largest sum over all processes of what each really occupies (PSS), sampled ten times
a second.

    python benchmarks/preprocess_vs_nnunet.py DATASET --nnunet-python PATH [--repeats 3]

nnU-Net (2.8.1 was used) lives in an environment of its own, whose Python is given. The
results are compared too: intensities of the fingerprint, and voxels of both sets of
preprocessed images.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import blosc2
import numpy as np
import psutil

from autoseg.machine import cores
from autoseg.preprocess.store import CaseStore
from autoseg.spec.plan import Plan

NUMBER = "901"  # of the data set in nnU-Net's folders
NAMES = ("mean", "median", "std", "min", "max", "percentile_00_5", "percentile_99_5")


@dataclass(frozen=True)
class Cost:
    """What one command took."""

    wall: float  # seconds
    processor: float  # seconds, all processes
    memory: float  # MB, all processes


@dataclass(frozen=True)
class Run:
    """Commands of both sides, by stage, and what is compared at the end."""

    dataset: Path
    folder: Path
    python: Path
    workers: int
    configurations: tuple[str, ...]

    @property
    def peer_name(self) -> str:
        """The data set's name in nnU-Net's folders."""
        return f"Dataset{NUMBER}_Benchmark"

    @property
    def peer_settings(self) -> dict[str, str]:
        """nnU-Net's environment."""
        return {
            f"nnUNet_{kind}": str(self.folder / kind)
            for kind in ("raw", "preprocessed", "results")
        }

    def ours(self) -> dict[str, list[str]]:
        """Return our command for each stage."""
        start = [sys.executable, "-m", "autoseg"]
        more = [str(self.dataset), "--root", str(self.folder / "autoseg")]
        workers = ["--workers", str(self.workers), "--overwrite"]
        return {
            "fingerprint": [*start, "fingerprint", *more, *workers],
            "plan": [*start, "plan", *more],
            "preprocess": [
                *(*start, "preprocess", *more, *workers, "-c", *self.configurations)
            ],
        }

    def theirs(self) -> dict[str, list[str]]:
        """Return nnU-Net's command for each stage."""
        folder, count = self.python.parent, str(self.workers)
        each = [count] * len(self.configurations)
        return {
            "fingerprint": [
                *(str(folder / "nnUNetv2_extract_fingerprint"), "-d", NUMBER),
                *("-np", count, "--clean"),
            ],
            "plan": [str(folder / "nnUNetv2_plan_experiment"), "-d", NUMBER],
            "preprocess": [
                *(str(folder / "nnUNetv2_preprocess"), "-d", NUMBER),
                *("-c", *self.configurations, "-np", *each),
            ],
        }


def measure(command: Sequence[str], settings: Mapping[str, str]) -> Cost:
    """Run a command to its end and return what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start, peak = time.perf_counter(), 0.0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=said, stderr=said
        )
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, occupied(watched))
            time.sleep(0.1)
        wall = time.perf_counter() - start
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{said.read()[-3000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    return Cost(wall, processor, peak / 1e6)


def occupied(process: psutil.Process) -> float:
    """Return the bytes that a process and its children occupy."""
    total = 0
    try:
        for each in (process, *process.children(recursive=True)):
            info = each.memory_full_info()
            total += getattr(info, "pss", info.rss)
    except psutil.Error:  # it ended meanwhile
        return total
    return total


def compare_fingerprints(run: Run) -> Iterator[str]:
    """Give lines that set the intensities of both sides against each other."""
    ours = json.loads((prepared(run) / "fingerprint.json").read_text())["intensities"]
    path = run.folder / "preprocessed" / run.peer_name / "dataset_fingerprint.json"
    peer = json.loads(path.read_text())
    theirs = peer["foreground_intensity_properties_per_channel"]
    for channel, numbers in enumerate(ours):
        for name in NAMES:
            other = theirs[str(channel)][name]
            yield f"channel {channel} {name:16} {numbers[name]:14.6g} {other:14.6g}"


def compare_images(run: Run) -> Iterator[str]:
    """Give lines with the largest difference of voxels, for each configuration."""
    plan = Plan.load(prepared(run) / "plans" / "unet.json")
    for name in run.configurations:
        store = CaseStore(prepared(run) / plan.data_id(name))
        peer = run.folder / "preprocessed" / run.peer_name / f"nnUNetPlans_{name}"
        image_error, label_errors = 0.0, 0
        for case_id in store.ids():
            case = store.open(case_id)
            image = blosc2.open(str(peer / f"{case_id}.b2nd"), mode="r")[:]
            labels = blosc2.open(str(peer / f"{case_id}_seg.b2nd"), mode="r")[:][0]
            error = np.abs(case.image[:].astype(np.float32) - image).max()
            image_error = max(image_error, float(error))
            label_errors += int(np.count_nonzero(case.annotation[:] != labels))
        yield (
            f"{name}: {len(store.ids())} cases, images differ by at most "
            f"{image_error:.2g} (float16), labels in {label_errors} voxels"
        )
        yield f"{name}: {size(store.folder):.1f} MB here, {size(peer):.1f} MB there"


def size(folder: Path) -> float:
    """Return the size of all files in a folder in MB."""
    return sum(path.stat().st_size for path in folder.rglob("*")) / 1e6


def prepared(run: Run) -> Path:
    """Return our folder of the data set."""
    return run.folder / "autoseg" / "preprocessed" / run.dataset.name


def table(costs: Mapping[tuple[str, str], Sequence[Cost]]) -> Iterator[str]:
    """Give lines with medians and ratios."""
    yield f"{'':24}{'autoseg':>10}{'nnU-Net':>10}{'ratio':>8}"
    for stage in ("fingerprint", "preprocess"):
        for name, unit in (("wall", "s"), ("processor", "s"), ("memory", "MB")):
            ours, theirs = (
                statistics.median(getattr(cost, name) for cost in costs[side, stage])
                for side in ("ours", "theirs")
            )
            yield (
                f"{stage:12}{name:>9} {unit:2}{ours:10.1f}{theirs:10.1f}"
                f"{ours / theirs:8.2f}"
            )


def main() -> None:
    """Measure both sides in turn and print medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--nnunet-python", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=cores())
    parser.add_argument(
        "-c", "--configurations", nargs="+", default=["2d", "3d_fullres"]
    )
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run = Run(
            dataset=given.dataset.absolute(),
            folder=Path(temporary),
            python=given.nnunet_python.absolute(),
            workers=given.workers,
            configurations=tuple(given.configurations),
        )
        (run.folder / "raw").mkdir()
        (run.folder / "raw" / run.peer_name).symlink_to(run.dataset)
        costs: dict[tuple[str, str], list[Cost]] = {}
        for repeat in range(given.repeats):
            for stage in ("fingerprint", "plan", "preprocess"):
                for side, commands in (("ours", run.ours()), ("theirs", run.theirs())):
                    cost = measure(commands[stage], run.peer_settings)
                    costs.setdefault((side, stage), []).append(cost)
                    print(f"{repeat} {side:7}{stage:12} {cost}", flush=True)
        print("\n".join(table(costs)))
        print("\n".join(compare_fingerprints(run)))
        print("\n".join(compare_images(run)))


if __name__ == "__main__":
    main()
