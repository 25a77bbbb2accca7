"""Equal cost, equal accuracy: train nnU-Net v2 and autoseg on the same data.

Same split, same plain U-Net (strides and kernels included), same patch, batch 2 and
number of iterations; both predict the validation fold with mirroring, and autoseg's
`evaluate` scores both::

    python benchmarks/semantic_vs_nnunet.py DATASET --nnunet-python ENV/bin/python
    python benchmarks/semantic_vs_nnunet.py DATASET --iterations 50      # does it run?

DATASET is Dataset004_Hippocampus (features 8-16-32-64, patch 40x56x40) or
Dataset027_ACDC (8-16-32-64-64, 10x96x96) in nnU-Net's raw layout. An environment with
nnunetv2 2.8.1 is made in --work if --nnunet-python is not given. Whatever is finished
there is kept: the same command goes on. Times are seconds of a training iteration from
batch to batch, waiting for the loader included, validation and the first fifty
iterations left out.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoseg.evaluate.stage import evaluate
from autoseg.spec.configuration import Configuration
from autoseg.spec.json import write_text
from autoseg.workspace import LOG, VALIDATION, Workspace
from planners.base import Budget
from planners.stage import plan

VERSION = "2.8.1"
CONFIGURATION = "3d_fullres"
BATCH = 2
# By data set: features and patch that fit a CPU.
SMALL = {
    "Dataset004_Hippocampus": ([8, 16, 32, 64], [40, 56, 40]),
    "Dataset027_ACDC": ([8, 16, 32, 64, 64], [10, 96, 96]),
}
WARMUP = 50  # iterations that are not timed: the machine and its caches settle

# Our names of a network's options, and nnU-Net's.
NAMES = {
    "features": "features_per_stage",
    "kernels": "kernel_sizes",
    "strides": "strides",
    "convs_encoder": "n_conv_per_stage",
    "convs_decoder": "n_conv_per_stage_decoder",
}

# Run by nnU-Net's Python: its own trainer with other numbers, timed from outside.
TRAIN_NNUNET = r"""
import json, sys, time, pathlib, torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

def main():
    folder, fold, iterations, seed, timed = sys.argv[1:6]
    folder, iterations = pathlib.Path(folder), int(iterations)
    plans = json.loads((folder / "nnUNetPlans.json").read_text())
    plans["continue_training"] = False
    torch.manual_seed(int(seed))
    described = json.loads((folder / "dataset.json").read_text())
    trainer = nnUNetTrainer(
        plans, "3d_fullres", int(fold), described, torch.device("cpu"))
    trainer.num_iterations_per_epoch = min(250, iterations)
    trainer.num_epochs = iterations // trainer.num_iterations_per_epoch
    stamps = []
    step = trainer.train_step
    def timed_step(batch):
        result = step(batch)
        stamps.append((trainer.current_epoch, time.perf_counter()))
        return result
    trainer.train_step = timed_step
    trainer.run_training()
    gaps = [b - a for (e, a), (f, b) in zip(stamps, stamps[1:]) if e == f]
    pathlib.Path(timed).write_text(json.dumps(gaps))
    trainer.perform_actual_validation(False)

if __name__ == "__main__":
    main()
"""


@dataclass(frozen=True)
class Result:
    """What one side reached."""

    name: str
    seconds: float
    dice: float
    classes: dict[str, float]


def nnunet_python(given: str | None, work: Path) -> Path:
    """Return a Python that has nnU-Net, making an environment where none is given."""
    if given is not None:
        return Path(given)
    folder = work / "nnunet_environment"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run(
            [python, "-m", "pip", "install", f"nnunetv2=={VERSION}"], check=True
        )
    return python


def run(words: Sequence[object], log: Path, **environment: str) -> None:
    """Run a command, its output to a file; stop with its last lines if it fails."""
    print("  $", *[Path(str(words[0])).name, *words[1:4]], "...", flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        done = subprocess.run(
            [str(word) for word in words],
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
        )
    if done.returncode:
        sys.exit("\n".join([*log.read_text().splitlines()[-15:], f"failed; see {log}"]))


def train_nnunet(
    python: Path, dataset: Path, splits: Path, ours: Configuration, options: Options
) -> Result:
    """Plan, preprocess, train and predict with nnU-Net, by our network and patch."""
    base = options.work / f"nnunet_{dataset.name}"
    folders = {
        f"nnUNet_{kind}": str(base / kind)
        for kind in ("raw", "preprocessed", "results")
    }
    raw = base / "raw" / dataset.name
    if not raw.exists():
        raw.parent.mkdir(parents=True, exist_ok=True)
        raw.symlink_to(dataset, target_is_directory=True)
    prepared = base / "preprocessed" / dataset.name
    log = base / "log.txt"
    plans = prepared / "nnUNetPlans.json"
    if not (base / "prepared").exists():
        number = str(int(dataset.name[7:10]))
        command = python.parent / "nnUNetv2_plan_and_preprocess"
        words = [command, "-d", number, "-c", CONFIGURATION, "-np", "2", "-npfp", "2"]
        run(words, log, **folders)
        content = json.loads(plans.read_text())
        settings = content["configurations"][CONFIGURATION]
        settings["batch_size"] = BATCH
        settings["patch_size"] = list(ours.patch_size)
        network = settings["architecture"]["arch_kwargs"]
        for mine, theirs in NAMES.items():
            network[theirs] = ours.network.options[mine]
        network["n_stages"] = len(network["features_per_stage"])
        plans.write_text(json.dumps(content, indent=2))
        shutil.copyfile(splits, prepared / "splits_final.json")
        (base / "prepared").touch()
    name = f"nnunet_{options.iterations}_{options.fold}_{options.seed}"
    found, timed = base / name, base / f"{name}.json"
    if not found.is_dir():
        driver = base / "train.py"
        driver.write_text(TRAIN_NNUNET)
        words = [python, driver, prepared, options.fold, options.iterations]
        run([*words, options.seed, timed], log, **folders)
        trained = base / "results" / dataset.name
        fold = f"nnUNetTrainer__nnUNetPlans__{CONFIGURATION}/fold_{options.fold}"
        shutil.copytree(trained / fold / "validation", found)
        shutil.rmtree(trained)
    gaps = json.loads(timed.read_text())
    return _result("nnU-Net", gaps[WARMUP:] or gaps, found, dataset)


def train_autoseg(dataset: Path, options: Options, recipe: str) -> Result:
    """Train and predict with autoseg; planned and preprocessed already."""
    root = options.work / "autoseg"
    workspace = Workspace(root=root, dataset=dataset.name)
    name = f"{recipe}_{options.iterations}_{options.seed}"
    source = workspace.plan("unet")
    if not workspace.plan(name).is_file():  # a plan for each, so a folder for each
        write_text(workspace.plan(name), source.read_text())
    words = [sys.executable, "-m", "autoseg", "train", dataset, CONFIGURATION]
    words += [options.fold, "--root", root, "--plan", name, "--recipe", recipe]
    words += ["--iterations", options.iterations, "--batch-size", BATCH]
    words += ["--seed", options.seed, "--device", "cpu", "--set"]
    features, patch = SMALL[dataset.name]
    words += [f"network.features={features}", f"patch_size={patch}"]
    run(words, root / "log.txt")
    folder = workspace.fold(name, CONFIGURATION, options.fold)
    rows = (folder / LOG).read_text().splitlines()
    gaps = [json.loads(row)["seconds_per_iteration"] for row in rows]
    return _result(f"autoseg {recipe}", gaps[1:] or gaps, folder / VALIDATION, dataset)


def _result(
    name: str, gaps: Sequence[float], predictions: Path, dataset: Path
) -> Result:
    summary = evaluate(
        predictions,
        dataset=dataset,
        chill=True,
        output=predictions.parent / f"{predictions.name}_scores.json",
    )
    classes = {n: found["dice"].mean for n, found in summary.classes.items()}
    return Result(name, statistics.fmean(gaps), summary.mean("dice"), classes)


def prepare(dataset: Path, options: Options) -> tuple[Path, Configuration]:
    """Plan and preprocess with autoseg; return the split and network of both sides."""
    root = options.work / "autoseg"
    words = [sys.executable, "-m", "autoseg", "plan_and_preprocess", dataset]
    run([*words, "--root", root, "-c", CONFIGURATION], root / "log.txt")
    features, patch = SMALL[dataset.name]
    overrides = {"network.features": features, "patch_size": patch}
    small = plan(dataset, root, name="small", budget=Budget(overrides=overrides))
    splits = Workspace(root=root, dataset=dataset.name).splits
    return splits, small.configuration(CONFIGURATION)


@dataclass(frozen=True)
class Options:
    """What is compared."""

    work: Path
    iterations: int
    fold: int
    seed: int


def main() -> None:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--nnunet-python", help="Python of an environment with it")
    parser.add_argument("--work", type=Path, default=Path("benchmark_semantic"))
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipes", nargs="*", default=["nnunet"])
    arguments = parser.parse_args()
    options = Options(
        work=arguments.work.absolute(),
        iterations=arguments.iterations,
        fold=arguments.fold,
        seed=arguments.seed,
    )
    dataset = arguments.dataset.absolute()
    print(f"load of this machine: {os.getloadavg()[0]:.1f}; cores: {os.cpu_count()}")
    splits, ours = prepare(dataset, options)
    results = [train_autoseg(dataset, options, recipe) for recipe in arguments.recipes]
    python = nnunet_python(arguments.nnunet_python, options.work)
    peer = train_nnunet(python, dataset, splits, ours, options)
    print(
        f"\n{options.iterations} iterations, fold {options.fold}, seed {options.seed}"
    )
    print(f"{'':16}{'s/iteration':>12}{'ratio':>8}{'Dice':>8}{'minus':>8}  by class")
    for found in [peer, *results]:
        ratio, minus = found.seconds / peer.seconds, found.dice - peer.dice
        by_class = ", ".join(f"{n} {v:.3f}" for n, v in found.classes.items())
        print(
            f"{found.name:16}{found.seconds:12.4f}{ratio:8.2f}{found.dice:8.4f}"
            f"{minus:+8.4f}  {by_class}"
        )


if __name__ == "__main__":
    main()
