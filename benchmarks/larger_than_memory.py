"""Does a volume that is larger than memory go through all stages within a budget?

Makes a data set of one volume of 2,000 x 2,000 x 1,500 voxels (uint8: 6 GB, and as much
for its annotation; 24 GB as float32), and runs fingerprint, plan, preprocess, five
iterations and predict as commands, each watched for the peak of the physical memory of
its processes::

    python benchmarks/larger_than_memory.py --budget 4            # hours on two cores
    python benchmarks/larger_than_memory.py --size 1000 1000 750 --budget 1

The plan's network is small, and windows stand side by side without mirrored copies: how
long a network computes changes nothing about memory. Needs about 12 bytes of disk for
each voxel. Exit code 1 if a stage failed or took more than the budget.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
from predict_memory import watch

DATASET = "Dataset001_Large"
SEED = 0


def main() -> int:
    """Make the volume, run the stages and print their peaks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs=3, default=[1500, 2000, 2000])
    parser.add_argument("--budget", type=float, default=4.0, help="GB")
    parser.add_argument("--patch", type=int, default=64, help="edge of a window")
    parser.add_argument("--folder", type=Path, help="where to put everything")
    parser.add_argument("--stages", nargs="+", help="only these")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        raw = Path(folder) / "raw" / DATASET
        write_dataset(raw, tuple(arguments.size))
        return run_stages(arguments, Path(folder))


def run_stages(arguments: argparse.Namespace, folder: Path) -> int:
    """Run the commands one after the other; return 1 if one took too much."""
    budget, worst = arguments.budget, 0
    for name, words in commands(arguments, folder):
        if arguments.stages and name not in arguments.stages:
            continue
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
) -> list[tuple[str, list[object]]]:
    """Return name and words of each stage."""
    memory = ["--max-memory", arguments.budget]
    root = ["--root", folder]
    patch = json.dumps([arguments.patch] * 3)
    stages = max(1, arguments.patch.bit_length() - 3) + 1  # down to 4 voxels
    features = json.dumps([4] + [8] * (stages - 1))
    small = [f"patch_size={patch}", "batch_size=2", f"network.features={features}"]
    model = folder / "results" / DATASET / "unet" / "3d_fullres"
    images = folder / "raw" / DATASET / "imagesTr"
    return [
        ("fingerprint", ["fingerprint", DATASET, *root, *memory]),
        ("plan", ["plan", DATASET, *root, "--set", *small]),
        ("preprocess", ["preprocess", DATASET, *root, *memory, "-c", "3d_fullres"]),
        (
            "train",
            ["train", DATASET, "3d_fullres", "all", *root, "--iterations", 5]
            + ["--no-validation", "--device", "cpu", "--workers", 1],
        ),
        (
            "predict",
            ["predict", "-i", images, "-o", folder / "out", "-m", model, "-f", "all"]
            + ["--disable_tta", "-step_size", 1, *memory],
        ),
    ]


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
    noise = rng.integers(0, 60, (16, *shape[1:]), dtype=np.uint8)
    period = max(40, min(shape) // 4)
    y, x = ((np.arange(size) % period - period / 2) ** 2 for size in shape[1:])
    plane = y[:, None] + x
    image = open(folder / "imagesTr" / "large_0000.nii", "wb")
    labels = open(folder / "labelsTr" / "large.nii", "wb")
    with image, labels:
        for file in (image, labels):
            file.write(header(shape))
        for z in range(shape[0]):
            ball = plane + (z % period - period / 2) ** 2 < (period / 4) ** 2
            labels.write(ball.astype(np.uint8).tobytes())
            image.write((noise[z % len(noise)] + 150 * ball).astype(np.uint8).tobytes())


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
