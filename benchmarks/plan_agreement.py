"""Are plans those of nnU-Net v2, on fingerprints that nobody chose?

Draws fingerprints at random (thick slices, single slices, pictures, tiny and huge
cases, many classes and channels, equal and permuted axes), lets nnU-Net's own planners
plan them and compares each value, by the test that reads such records::

    python benchmarks/plan_agreement.py --nnunet-python ENV/bin/python [--records 100]

The environment needs nnunetv2 (2.8.1 was used). Exit code 1 if any plan differs. What
nnU-Net cannot plan itself is counted and left out, and so are its networks of a single
stage, for tiny images: it cannot build them, and ours have two.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PLANNERS = ("default", "resenc_m", "resenc_l", "resenc_xl", "default_4", "default_24")
PLAN = r"""
import contextlib, io, json, os, sys, traceback
from pathlib import Path
folder = Path(sys.argv[1])
for name in ("raw", "preprocessed", "results"):
    os.environ["nnUNet_" + name] = str(folder / name)
import torch
from nnunetv2.experiment_planning.experiment_planners import default_experiment_planner
from nnunetv2.experiment_planning.experiment_planners.residual_unets import (
    residual_encoder_unet_planners as presets)

default_experiment_planner.get_allowed_n_proc_DA = lambda: 1
Default = default_experiment_planner.ExperimentPlanner
KINDS = {"default": (Default, 8), "default_4": (Default, 4),
         "default_24": (Default, 24),
         "resenc_m": (presets.nnUNetPlannerResEncM, 8),
         "resenc_l": (presets.nnUNetPlannerResEncL, 24),
         "resenc_xl": (presets.nnUNetPlannerResEncXL, 40)}

class Reader:
    pass

def plain(value):
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)) or hasattr(value, "tolist"):
        items = value.tolist() if hasattr(value, "tolist") else value
        return [plain(v) for v in items] if isinstance(items, (list, tuple)) else items
    return value

def plan(record, name):
    data = "Dataset001_Drawn"
    for part, file, content in (("raw", "dataset.json", "dataset"),
                     ("preprocessed", "dataset_fingerprint.json", "fingerprint")):
        (folder / part / data).mkdir(parents=True, exist_ok=True)
        (folder / part / data / file).write_text(json.dumps(record[content]))
    (folder / "raw" / data / "imagesTr").mkdir(exist_ok=True)
    kind, gb = KINDS[name]
    planner = kind(data, gpu_memory_target_in_gb=gb)
    planner.determine_reader_writer = lambda: Reader
    planner.save_plans = lambda plans: None
    made = plain(planner.plan_experiment())
    found = {"transpose_forward": made["transpose_forward"], "gpu_memory_gb": gb}
    configurations = {}
    for key, entry in made["configurations"].items():
        if "architecture" in entry:
            network = entry.pop("architecture")["arch_kwargs"]
            if network["n_stages"] == 1:
                raise ValueError("a network of one stage, which has no decoder")
            entry |= {k: v for k, v in network.items() if not k.endswith("kwargs")}
        configurations[key] = entry
    return found | {"configurations": configurations}

records, refused = json.loads((folder / "drawn.json").read_text()), []
for number, record in enumerate(records):
    record["plans"] = {}
    for name in record.pop("planners"):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                record["plans"][name] = plan(record, name)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            refused.append(f"{number}-{name}: {type(error).__name__}: {error} "
                           f"(line {last.lineno} of {Path(last.filename).name})")
(folder / "oracle").mkdir()
(folder / "oracle" / "nnunet_v2_plans.json").write_text(json.dumps(records))
print(sum(len(record["plans"]) for record in records), "plans of nnU-Net")
print(len(refused), "that it could not make", *refused, sep="\n")
"""


def draw(rng: random.Random) -> dict[str, Any]:
    """Return a dataset.json, a fingerprint and the planners to ask."""
    cases = rng.choice([1, 2, 5, 8, 25])
    shape, spacing = rng.choice([volume, thick, picture, slices, cube])(rng)
    scatter = rng.choice([0.0, 0.02, 0.2])

    def near(value: float) -> float:
        return value * (1 + rng.uniform(-scatter, scatter))

    spacings = [
        [s if s >= 999 else round(near(s), 4) for s in spacing] for _ in range(cases)
    ]
    shapes = [
        [n if n == 1 else max(1, round(near(n))) for n in shape] for _ in range(cases)
    ]
    channels = rng.choice([1, 1, 2, 4, 8])
    names = ["CT", "MRI", "noNorm", "rescale_to_0_1", "rgb_to_0_1", "T1", "ct"]
    numbers = {"max": 3000.0, "mean": 90.0, "median": 95.0, "min": -900.0, "std": 70.0}
    numbers |= {"percentile_00_5": -100.0, "percentile_99_5": 300.0}
    return {
        "dataset": {
            "channel_names": {str(c): rng.choice(names) for c in range(channels)},
            "numTraining": rng.choice([cases, 30, 300, 3000]),
            "file_ending": ".nii.gz",
        }
        | labels(rng),
        "fingerprint": {
            "spacings": spacings,
            "shapes_after_crop": shapes,
            "median_relative_size_after_cropping": rng.choice([0.4, 0.7499, 0.75, 1.0]),
            "foreground_intensity_properties_per_channel": {
                str(c): numbers for c in range(channels)
            },
        },
        "planners": rng.sample(PLANNERS, 2),
    }


def labels(rng: random.Random) -> dict[str, Any]:
    """Return the classes, sometimes regions, sometimes an ignore label."""
    count = rng.choice([1, 2, 3, 14, 50, 117])
    found: dict[str, Any] = {"background": 0}
    found |= {f"l{value}": value for value in range(1, count + 1)}
    kind = rng.choice(["plain", "plain", "ignore", "regions"])
    if kind == "ignore":
        return {"labels": found | {"ignore": count + 1}}
    if kind == "regions" and count > 1:
        found |= {"l1": list(range(1, count + 1))}
        return {"labels": found, "regions_class_order": list(range(1, count + 1))}
    return {"labels": found}


def volume(rng: random.Random) -> tuple[list[int], list[float]]:
    """Return a volume whose axes have nothing to do with each other."""
    return (
        [int(2 ** rng.uniform(1, 10)) for _ in range(3)],
        [round(2 ** rng.uniform(-3, 3), 4) for _ in range(3)],
    )


def thick(rng: random.Random) -> tuple[list[int], list[float]]:
    """Return thick slices; the thick axis is any."""
    edge, step = rng.choice([128, 256, 320, 512]), rng.choice([0.3, 0.7, 1.0])
    order = rng.sample(range(3), 3)
    shape = [rng.choice([2, 5, 12, 40, 90]), edge, edge]
    spacing = [step * rng.choice([1.9, 2.0, 3.0, 3.01, 5, 12.5, 40]), step, step]
    return [shape[a] for a in order], [spacing[a] for a in order]


def picture(rng: random.Random) -> tuple[list[int], list[float]]:
    """Return a picture, as nnU-Net has it: one slice, 999 thick."""
    edges = [int(2 ** rng.uniform(2, 13)) for _ in range(2)]
    steps = rng.choice([[1.0, 1.0], [0.5, 0.5], [0.3, 1.4]])
    return [1, *edges], [999.0 * max(1, *steps), *steps]


def slices(rng: random.Random) -> tuple[list[int], list[float]]:
    """Return a volume of one slice, along any axis."""
    shape = [rng.choice([20, 64, 300]) for _ in range(3)]
    shape[rng.randrange(3)] = 1
    return shape, [rng.choice([0.5, 1.0, 1.5, 6.0]) for _ in range(3)]


def cube(rng: random.Random) -> tuple[list[int], list[float]]:
    """Return a volume with equal axes."""
    return [rng.choice([4, 7, 33, 128, 300, 1000])] * 3, [rng.choice([0.1, 1.0])] * 3


def main() -> int:
    """Draw, let nnU-Net plan, and run the test on its plans."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nnunet-python", required=True)
    parser.add_argument("--records", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        drawn = [draw(rng) for _ in range(arguments.records)]
        (folder / "drawn.json").write_text(json.dumps(drawn))
        words = [arguments.nnunet_python, "-c", PLAN, str(folder)]
        subprocess.run(words, check=True)
        words = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p"]
        words += ["no:cacheprovider", "tests/planners/test_oracle.py"]
        (folder / "data").mkdir()
        environment = os.environ | {"AUTOSEG_TEST_DATA": str(folder / "data")}
        return subprocess.run(words, cwd=ROOT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
