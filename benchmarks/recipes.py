"""Learning curves of training recipes: which Dice after how many iterations.

Each recipe is trained to its end for each budget and seed, with a schedule that fits
the budget, and scored on the fold's validation cases in their own geometry::

    python benchmarks/recipes.py DATASET [DATASET ...] --work FOLDER
    python benchmarks/recipes.py Dataset004_Hippocampus --budgets 400 --seeds 0 \
        --variant "fast train.learning_rate=1e-2" --variant "fast train.warmup=0.3"

Small networks (features 8-16-32-64 on patches that a CPU can train on) make that
possible in hours; the question is how recipes compare, not how good they can be. A
variant is a recipe with numbers changed. Finished runs are kept in FOLDER/runs.jsonl,
and the same command goes on with the others; --table only prints what is there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autoseg.evaluate.summary import Summary
from autoseg.spec.json import write_text
from autoseg.workspace import LOG, SUMMARY, VALIDATION, Workspace

CONFIGURATION = "3d_fullres"
# By data set: what fits a CPU. Strides and kernels are those of the plan's own network.
SMALL: dict[str, dict[str, Any]] = {
    "Dataset004_Hippocampus": {
        "network.features": [8, 16, 32, 64],
        "patch_size": [40, 56, 40],
    },
    "Dataset027_ACDC": {
        "network.features": [8, 16, 32, 64, 64],
        "patch_size": [10, 96, 96],
    },
}


@dataclass(frozen=True)
class Job:
    """One training."""

    dataset: str
    variant: str
    iterations: int
    seed: int

    @property
    def plan(self) -> str:
        """Return a name for its plan, and so for its folder."""
        words = self.variant.replace("train.", "").replace("=", "")
        return f"{'_'.join(words.split())}_{self.iterations}_{self.seed}"


def jobs(arguments: argparse.Namespace) -> Iterator[Job]:
    """Yield all trainings, short ones first, so that a curve grows evenly."""
    for iterations in arguments.budgets:
        for seed in arguments.seeds:
            for dataset in arguments.datasets:
                for variant in arguments.variant:
                    yield Job(dataset.name, variant, iterations, seed)


def run(words: Sequence[object], log: Path) -> None:
    """Run a command, its output to a file; stop with its last lines if it fails."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        done = subprocess.run(
            [str(word) for word in words], stdout=file, stderr=subprocess.STDOUT
        )
    if done.returncode:
        sys.exit("\n".join([*log.read_text().splitlines()[-15:], f"failed; see {log}"]))


def train(job: Job, dataset: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Train and score; return a row of the table."""
    root = arguments.work / "autoseg"
    workspace = Workspace(root=root, dataset=job.dataset)
    autoseg = [sys.executable, "-m", "autoseg"]
    log = root / f"{job.dataset}.txt"
    if not workspace.plan("unet").is_file():
        words = ["plan_and_preprocess", dataset, "--root", root, "-c", CONFIGURATION]
        run([*autoseg, *words], log)
    write_text(workspace.plan(job.plan), workspace.plan("unet").read_text())
    recipe, *changes = job.variant.split()
    network = {**SMALL[job.dataset], **json.loads(arguments.network)}
    changes += [f"{key}={json.dumps(value)}" for key, value in network.items()]
    words = ["train", dataset, CONFIGURATION, arguments.fold, "--root", root]
    words += ["--plan", job.plan, "--recipe", recipe, "--seed", job.seed]
    words += ["--iterations", job.iterations, "--batch-size", arguments.batch_size]
    words += ["--device", arguments.device, "--set", *changes]
    if arguments.threads:
        words += ["--threads", arguments.threads]
    run([*autoseg, *words], log)
    folder = workspace.fold(job.plan, CONFIGURATION, arguments.fold)
    summary = Summary.load(folder / VALIDATION / SUMMARY)
    rows = [json.loads(row) for row in (folder / LOG).read_text().splitlines()]
    seconds = [row["seconds_per_iteration"] for row in rows]
    result = {
        **asdict(job),
        "fold": arguments.fold,
        "dice": summary.mean("dice"),
        "classes": {n: f["dice"].mean for n, f in summary.classes.items()},
        "seconds_per_iteration": statistics.median(seconds),
        "loss": rows[-1]["loss"],
    }
    if not arguments.keep:
        shutil.rmtree(folder.parents[1])
    return result


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return mean Dice by variant and budget, in Markdown."""
    lines = []
    for dataset in sorted({row["dataset"] for row in rows}):
        mine = [row for row in rows if row["dataset"] == dataset]
        budgets = sorted({row["iterations"] for row in mine})
        heads = [f"{budget} it" for budget in budgets]
        lines += ["", f"{dataset}: mean foreground Dice (range over seeds)", ""]
        lines += [f"| recipe | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
        for variant in dict.fromkeys(row["variant"] for row in mine):
            cells = [_cell(mine, variant, budget) for budget in budgets]
            lines.append(f"| {variant} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(rows: Sequence[dict[str, Any]], variant: str, budget: int) -> str:
    found = [
        row["dice"]
        for row in rows
        if (row["variant"], row["iterations"]) == (variant, budget)
    ]
    if not found:
        return ""
    mean = f"{statistics.fmean(found):.3f}"
    if len(found) == 1:
        return mean
    return f"{mean} ({min(found):.3f}-{max(found):.3f})"


def main() -> None:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--work", type=Path, default=Path("benchmark_recipes"))
    parser.add_argument("--budgets", nargs="+", type=int, default=[400, 800, 2000])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--variant", action="append", help="recipe and changed numbers")
    parser.add_argument("--network", default="{}", help="further settings, as JSON")
    parser.add_argument("--batch-size", type=int, default=2)
    parser.add_argument("--fold", default="0")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--keep", action="store_true", help="keep the trained models")
    parser.add_argument("--table", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    arguments.variant = arguments.variant or ["nnunet", "fast"]
    arguments.work = arguments.work.absolute()
    folders = {path.name: path.absolute() for path in arguments.datasets}
    record = arguments.work / "runs.jsonl"
    rows = []
    if record.is_file():
        rows = [json.loads(row) for row in record.read_text().splitlines()]
    done = {Job(*(row[k] for k in Job.__dataclass_fields__)) for row in rows}
    for job in () if arguments.table else jobs(arguments):
        if job in done:
            continue
        row = train(job, folders[job.dataset], arguments)
        rows.append(row)
        record.parent.mkdir(parents=True, exist_ok=True)
        with record.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(
            f"{job.dataset} {job.variant}, {job.iterations} it, seed {job.seed}: "
            f"Dice {row['dice']:.4f}, {row['seconds_per_iteration']:.3f} s/it "
            f"(load {os.getloadavg()[0]:.1f})",
            flush=True,
        )
    print(table(rows))


if __name__ == "__main__":
    main()
