"""Does a volume that is larger than memory go through all stages within a budget?

Makes a data set of one volume of 2,000 x 2,000 x 1,500 voxels (uint8: 6 GB, and as much
for its annotation; 24 GB as float32), and runs fingerprint, plan, preprocess, five
iterations, predict and evaluate as commands, each watched for the peak of the physical
memory of its processes::

    python benchmarks/larger_than_memory.py --budget 4            # hours on two cores
    python benchmarks/larger_than_memory.py --size 750 1000 1000 --budget 1
    python benchmarks/larger_than_memory.py --folder F --stages preprocess train

With ``--folder`` all of it stays there, so that stages can be run one by one; what a
stage needs no more is taken away before the next. The plan's network is small, and
windows stand side by side without mirrored copies: how long a network computes changes
nothing about memory. The volume has a black frame, noise of 15 values and bright balls;
the label map has the balls. Needs about 4 bytes of disk for each voxel. Exit code 1 if
a stage failed or took more than the budget.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
from predict_memory import watch

DATASET = "Dataset001_Large"
STAGES = (
    "check",
    "fingerprint",
    "plan",
    "preprocess",
    "train",
    "predict",
    "evaluate",
)
SEED = 0
FRAME = 8  # voxels of 0 around everything


def main() -> int:
    """Make the volume, run the stages and print their peaks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs=3, default=[1500, 2000, 2000])
    parser.add_argument("--budget", type=float, default=4.0, help="GB")
    parser.add_argument("--patch", type=int, default=64, help="edge of a window")
    parser.add_argument("--features", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--folder", type=Path, help="put everything here; it stays")
    parser.add_argument("--stages", nargs="+", default=list(STAGES), choices=STAGES)
    arguments = parser.parse_args()
    if arguments.folder is not None:
        return run_all(arguments, arguments.folder)
    with tempfile.TemporaryDirectory() as folder:
        return run_all(arguments, Path(folder))


def run_all(arguments: argparse.Namespace, folder: Path) -> int:
    """Make the volume, unless it is there, and run the stages."""
    raw = folder / "raw" / DATASET
    if not raw.is_dir():
        write_dataset(raw, tuple(arguments.size))
    return run_stages(arguments, folder)


def run_stages(arguments: argparse.Namespace, folder: Path) -> int:
    """Run the commands one after the other; return 1 if one took too much."""
    budget, worst = arguments.budget, 0
    for name, words in commands(arguments, folder).items():
        if name not in arguments.stages:
            continue
        if name == "predict":
            for data in (folder / "preprocessed" / DATASET).glob("3d_*"):
                shutil.rmtree(data)
        start = time.monotonic()
        peak, code = watch([sys.executable, "-m", "autoseg", *map(str, words)])
        seconds = time.monotonic() - start
        kept = peak <= budget * 1e9
        print(
            f"{name:11} exit code {code}, {seconds:6.0f} s, peak {peak / 1e9:.2f} GB "
            f"of {budget:g} GB{'' if kept else '  TOO MUCH'}",
            flush=True,
        )
        worst |= int(code != 0 or not kept)
        if code:
            break
    return worst


def commands(
    arguments: argparse.Namespace, folder: Path
) -> dict[str, tuple[object, ...]]:
    """Return the words of each stage."""
    memory = ("--max-memory", arguments.budget)
    root = ("--root", folder)
    small = (
        f"patch_size={json.dumps([arguments.patch] * 3)}",
        "batch_size=2",
        f"network.features={json.dumps(arguments.features)}",
        f"network.convs_encoder={json.dumps([1] * len(arguments.features))}",
        f"network.convs_decoder={json.dumps([1] * (len(arguments.features) - 1))}",
    )
    model = folder / "results" / DATASET / "unet" / "3d_fullres"
    raw, out = folder / "raw" / DATASET, folder / "out"
    five = ("--iterations", 5, "--no-validation", "--device", "cpu", "--workers", 1)
    plain = ("--disable_tta", "-step_size", 1, "--device", "cpu")
    images = ("-i", raw / "imagesTr", "-o", out, "-m", model, "-f", "all")
    return {
        "check": ("check", DATASET, *root),
        "fingerprint": ("fingerprint", DATASET, *root, *memory),
        "plan": ("plan", DATASET, *root, "--set", *small),
        "preprocess": ("preprocess", DATASET, *root, *memory, "-c", "3d_fullres"),
        "train": ("train", DATASET, "3d_fullres", "all", *root, *five),
        "predict": ("predict", *images, *plain, *memory, "--overwrite"),
        "evaluate": ("evaluate", "-p", out, "-d", raw, *memory, "--overwrite"),
    }


def write_dataset(folder: Path, shape: tuple[int, int, int]) -> None:
    """Write noise with bright balls in it, and the balls, row by row."""
    description = {
        "channel_names": {"0": "density"},
        "labels": {"background": 0, "ball": 1},
        "file_ending": ".nii",
    }
    for name in ("imagesTr", "labelsTr"):
        (folder / name).mkdir(parents=True)
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    rng = np.random.default_rng(SEED)
    noise = 4 * rng.integers(1, 16, (16, *shape[1:]), dtype=np.uint8)
    edges = [slice(FRAME, size - FRAME) for size in shape]
    inside = np.zeros(shape[1:], bool)
    inside[edges[1], edges[2]] = True
    noise *= inside
    period = max(40, min(shape) // 4)
    y, x = ((np.arange(size) % period - period / 2) ** 2 for size in shape[1:])
    plane = (y[:, None] + x).astype(np.float32)
    plane[~inside] = np.inf
    ball, bright = np.empty((2, *shape[1:]), np.uint8)
    image = open(folder / "imagesTr" / "large_0000.nii", "wb")
    labels = open(folder / "labelsTr" / "large.nii", "wb")
    with image, labels:
        for file in (image, labels):
            file.write(header(shape))
        for z in range(shape[0]):
            reach = (period / 4) ** 2 - (z % period - period / 2) ** 2
            framed = not edges[0].start <= z < edges[0].stop
            np.less(plane, -1.0 if framed else reach, out=ball.view(bool))
            np.multiply(ball, 150, out=bright)
            bright += 0 if framed else noise[z % len(noise)]
            labels.write(ball.data)
            image.write(bright.data)


def header(shape: tuple[int, int, int]) -> bytes:
    """Return what a NIfTI file of uint8 begins with."""
    made = nibabel.Nifti1Header()
    made.set_data_dtype(np.uint8)
    made.set_data_shape(shape[::-1])
    made.set_zooms((1.0, 1.0, 1.0))
    made["magic"], made["vox_offset"] = b"n+1", 352
    return bytes(made.binaryblock) + bytes(4)


if __name__ == "__main__":
    sys.exit(main())
