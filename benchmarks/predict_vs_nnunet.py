"""Prediction beside nnU-Net v2: the same model, images and mirrors, whole processes.

Runs ``nnUNetv2_predict_from_modelfolder`` and ``autoseg predict`` in turn on one model
folder of nnU-Net v2 and prints wall time and peak memory (of all their processes
together), the medians of several runs, their ratios, and how many labels agree::

    python benchmarks/predict_vs_nnunet.py --nnunet-python ENV/bin/python \\
        --model MODEL --images IMAGES [--runs 3] [--also --precision=bf16]

The environment needs nnunetv2 (2.8.1 was used). Both get the same number of threads.
nnU-Net's entry point is called with its default trainer given: its own search imports
every trainer, fails where torchvision and torch do not fit, and does not know trainers
that are not installed. That spares it some seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil
import SimpleITK

NNUNET = """
from nnunetv2.inference import predict_from_raw_data as module
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
module.recursive_find_trainer_class_by_name = lambda name: nnUNetTrainer
module.predict_entry_point_modelfolder()
"""
SECONDS = 0.05  # between two looks at the processes


@dataclass(frozen=True)
class Run:
    """One process from start to end.

    Parameters
    ----------
    seconds : float
        Wall time.
    cpu_seconds : float
        Of all processors, which a busy machine disturbs less.
    peak : int
        Bytes of physical memory of the process and its children, at their largest sum.
    """

    seconds: float
    cpu_seconds: float
    peak: int


def main() -> None:
    """Measure both, and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nnunet-python", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--workers", type=int, default=1, help="nnU-Net's -npp and -nps"
    )
    parser.add_argument(
        "--also", nargs="+", default=[], help="flags of one more way to run autoseg"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path, help="where to write the medians")
    parser.add_argument("--folder", type=Path, help="keep the predictions here")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compare(arguments, arguments.folder or Path(folder))


def compare(arguments: argparse.Namespace, folder: Path) -> None:
    """Run all sides in turn, so that a busy hour meets each of them."""
    folds = sorted(p.name[5:] for p in arguments.model.glob("fold_*"))
    common = ["-i", arguments.images, "-m", arguments.model, "-f", *folds]
    common += ["-device", arguments.device, "-o"]
    nnunet = [arguments.nnunet_python, "-c", NNUNET]
    workers = ["-npp", arguments.workers, "-nps", arguments.workers]
    autoseg = [sys.executable, "-m", "autoseg", "predict", *common]
    sides = {
        "nnunet": [*nnunet, *common, folder / "nnunet", *workers],
        "autoseg": [*autoseg, folder / "autoseg"],
    }
    if arguments.also:
        sides["also"] = [*autoseg, folder / "also", *arguments.also]
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for _ in range(arguments.runs):
        for name, words in sides.items():
            runs[name].append(watch([str(w) for w in words], arguments.threads))
    found = report(runs, folder)
    if arguments.json:
        arguments.json.write_text(json.dumps(found), encoding="utf-8")


def watch(words: list[str], threads: int) -> Run:
    """Run a command to its end and measure it and its children."""
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "nnUNet_raw": "/nonexistent",
        "nnUNet_preprocessed": "/nonexistent",
        "nnUNet_results": "/nonexistent",
    }
    start = time.perf_counter()
    process = psutil.Popen(
        words,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    peak, cpu = 0, {}
    while process.poll() is None:
        alone, shared = 0, 0
        for member in _family(process):
            try:
                private, together = _memory(member)
                times = member.cpu_times()
                cpu[member.pid] = times.user + times.system
            except psutil.NoSuchProcess:
                continue
            alone += private
            shared = max(shared, together)
        total = alone + shared
        peak = max(peak, total)
        time.sleep(SECONDS)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{process.stderr.read().decode()}")
    return Run(seconds=seconds, cpu_seconds=sum(cpu.values()), peak=peak)


def _memory(process: psutil.Process) -> tuple[int, int]:
    """Return a process's physical memory: its own, and what it shares with others.

    What is shared, libraries for the most part, counts once and in full. Of a part in
    proportion ("Pss"), strangers that have the same libraries would take their share.
    """
    try:
        text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        rows = dict(row.split(":") for row in text.splitlines()[1:])
        sizes = {name: 1024 * int(row.split()[0]) for name, row in rows.items()}
    except (OSError, ValueError):  # not on Linux, or over by now
        return int(process.memory_info().rss), 0
    private = sizes["Private_Clean"] + sizes["Private_Dirty"]
    return private, sizes["Rss"] - private


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def report(runs: dict[str, list[Run]], folder: Path) -> dict[str, object]:
    """Print medians, ratios and agreement, and return medians and agreement."""
    medians = {
        name: Run(
            seconds=statistics.median(r.seconds for r in found),
            cpu_seconds=statistics.median(r.cpu_seconds for r in found),
            peak=int(statistics.median(r.peak for r in found)),
        )
        for name, found in runs.items()
    }
    base = medians["nnunet"]
    print(f"{'':10} {'wall s':>9} {'cpu s':>9} {'peak GB':>9}   ratio to nnU-Net")
    for name, median in medians.items():
        ratios = (
            f"{median.seconds / base.seconds:.2f} wall, "
            f"{median.cpu_seconds / base.cpu_seconds:.2f} cpu, "
            f"{median.peak / base.peak:.2f} peak"
        )
        print(
            f"{name:10} {median.seconds:9.1f} {median.cpu_seconds:9.1f} "
            f"{median.peak / 1e9:9.2f}   {ratios}"
        )
    found: dict[str, object] = {
        name: asdict(median) for name, median in medians.items()
    }
    for name in runs:
        if name != "nnunet":
            found[f"{name}, agreement"] = agreement(folder / "nnunet", folder / name)
            print(f"{name}: {found[f'{name}, agreement']}")
    return found


def agreement(ours: Path, theirs: Path) -> str:
    """Return how many voxels of two folders of label maps agree."""
    same = count = 0
    for path in sorted(ours.glob("*.nii.gz")):
        one, other = (
            SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(p)))
            for p in (path, theirs / path.name)
        )
        same += int(np.sum(one == other))
        count += one.size
    return f"{same} of {count} labels are nnU-Net's ({100 * same / count:.4f} %)"


if __name__ == "__main__":
    main()
