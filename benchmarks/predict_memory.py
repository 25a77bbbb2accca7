"""Does prediction keep to a memory budget, however large the volume?

Makes a volume of 1000 x 1000 x 1000 voxels and a toy model with two classes, runs
``autoseg predict --max-memory 8`` in a process of its own and prints the peak of its
physical memory, second by second::

    python benchmarks/predict_memory.py                        # about 10 minutes
    python benchmarks/predict_memory.py --edge 400 --budget 2  # a minute

The network is as small as can be, for memory does not depend on how long it computes;
windows stand side by side (step size 1) for the same reason: a slab is as thick as a
window whatever the step. Exit code 1 if the budget was not kept.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import torch

from autoseg.networks.build import build_network
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration
from autoseg.spec.json import to_json
from autoseg.spec.plan import Channel, Plan

MODEL = "model"
CONFIGURATION = "3d_fullres"
SECONDS = 0.05  # between two looks at the process


def main() -> int:
    """Measure, print, and say whether the budget was kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--edge", type=int, default=1000, help="voxels of an edge")
    parser.add_argument("--budget", type=float, default=8.0, help="GB")
    parser.add_argument("--patch", type=int, default=128, help="edge of a window")
    parser.add_argument("--step-size", type=float, default=1.0)
    parser.add_argument("--ending", default=".nii.gz", help="of the files")
    parser.add_argument("--folder", type=Path, help="where to put them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        return measure(arguments, Path(folder))


def measure(arguments: argparse.Namespace, folder: Path) -> int:
    """Make everything, predict, and print the peak."""
    write_model(folder / MODEL, arguments.patch, arguments.ending)
    image = folder / "images" / f"large{arguments.ending}"
    start = time.monotonic()
    write_image(image, arguments.edge)
    print(f"image of {arguments.edge}^3 voxels: {time.monotonic() - start:.0f} s")
    words = [sys.executable, "-m", "autoseg", "predict", "-i", image]
    words += ["-o", folder / "out", "-m", folder / MODEL, "--disable_tta"]
    words += ["-step_size", arguments.step_size, "--max-memory", arguments.budget]
    start = time.monotonic()
    peak, code = watch([str(word) for word in words])
    seconds = time.monotonic() - start
    size = sum(p.stat().st_size for p in (folder / "out").glob("*")) if not code else 0
    print(
        f"exit code {code}, {seconds:.0f} s, peak {peak / 1e9:.2f} GB of "
        f"{arguments.budget} GB, prediction {size / 1e6:.1f} MB"
    )
    return int(code != 0 or peak > arguments.budget * 1e9)


def watch(words: list[str]) -> tuple[int, int]:
    """Run a command; return the peak memory of its processes, and its exit code."""
    process = psutil.Popen(words)
    peak = 0
    while process.poll() is None:
        try:
            family = [process, *process.children(recursive=True)]
            peak = max(peak, sum(p.memory_info().rss for p in family))
        except psutil.NoSuchProcess:
            pass
        time.sleep(SECONDS)
    return peak, int(process.returncode)


def write_model(folder: Path, patch: int, ending: str) -> None:
    """Write a model folder as training does: a U-Net of two features, untrained."""
    settings = Configuration(
        spacing=(1.0, 1.0, 1.0),
        patch_size=(patch,) * 3,
        batch_size=2,
        median_shape=(float(patch),) * 3,
        network=Choice(
            name="plain_unet",
            options={
                "dim": 3,
                "features": [2, 4],
                "kernels": [[3, 3, 3]] * 2,
                "strides": [[1, 1, 1], [2, 2, 2]],
                "convs_encoder": [1, 1],
                "convs_decoder": [1],
            },
        ),
    )
    labels = {"background": 0, "object": 1}
    plan = Plan(
        name="toy",
        dataset="Large",
        planner="unet",
        task=Choice(name="semantic", options={"labels": labels}),
        unit="mm",
        transpose=(0, 1, 2),
        channels=(Channel(name="density", normalizer=Choice(name="zscore")),),
        configurations={CONFIGURATION: settings},
    )
    (folder / "fold_0").mkdir(parents=True)
    plan.save(folder / "plan.json")
    description = {
        "channel_names": {"0": "density"},
        "labels": labels,
        "file_ending": ending,
    }
    (folder / "dataset.json").write_text(json.dumps(description))
    torch.manual_seed(0)
    content = {
        "weights": build_network(plan, CONFIGURATION).state_dict(),
        "plan": to_json(plan),
        "configuration": CONFIGURATION,
        "fold": "0",
    }
    torch.save(content, folder / "fold_0" / "checkpoint_final.pt")


def write_image(path: Path, edge: int) -> None:
    """Write a ball of noise on a noisy ground, int16, in a process of its own."""
    path.parent.mkdir(parents=True)
    code = (
        "import sys, numpy as np, SimpleITK as sitk\n"
        "path, edge = sys.argv[1], int(sys.argv[2])\n"
        "rng = np.random.default_rng(0)\n"
        "noise = rng.integers(1, 60, (8, edge, edge), dtype=np.int16)\n"
        "x = np.linspace(-1, 1, edge)\n"
        "plane = x[:, None] ** 2 + x ** 2\n"
        "array = np.empty((edge, edge, edge), np.int16)\n"
        "for z in range(edge):\n"
        "    array[z] = noise[z % 8] + 500 * (plane + x[z] ** 2 < 0.5)\n"
        "image = sitk.GetImageFromArray(array)\n"
        "sitk.WriteImage(image, path, useCompression=path.endswith('gz'))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path), str(edge)], check=True)


if __name__ == "__main__":
    sys.exit(main())
