"""Print a script that makes a model on a cluster with SLURM; it submits nothing.

Read what is printed, change what your cluster wants otherwise, then run it with bash.
It submits one job after another, each waiting for the one before: the fingerprint, by
an array of parts; the plan; preprocessing, by parts again; an array of folds on GPUs;
then find_best and the report. A fold whose time ends writes a checkpoint and is queued
again. docs/cluster.md says more.

examples:
  autoseg slurm DATASET -c 3d_fullres > job.sh
  autoseg slurm DATASET -c 2d 3d_fullres --parts 20 --sbatch="--account=lab" \\
      --sbatch-train="--partition=gpu --gres=gpu:1 --time=12:00:00" > job.sh
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from string import Template
from typing import NoReturn

from autoseg.cli import COMMANDS
from autoseg.cli._arguments import positive
from autoseg.cli._parser import Parser
from autoseg.cli._which import add_configuration, add_dataset, chosen_dataset
from autoseg.datasets.read import open_dataset
from autoseg.errors import UsageError
from autoseg.preprocess.folds import load_splits
from autoseg.spec.plan import Plan
from autoseg.workspace import DEFAULT_PLAN

RESULT = "the script"
SBATCH = "--cpus-per-task=8 --mem=32G --time=04:00:00"
SBATCH_TRAIN = "--gres=gpu:1 --time=24:00:00"
FOLDS = 5  # of a cross-validation, where the data set gives no others
WARNING = 300  # seconds before the end of its time in which a fold is told

SCRIPT = Template(
    r"""#!/usr/bin/env bash
# Makes a model of $name with SLURM. Nothing is submitted before you run it: bash job.sh
# Every job can be submitted again: what is done is skipped.
set -euo pipefail

DATASET=$dataset
ROOT=$root
CONFIGURATIONS=($configurations)
PARTS=$parts # jobs that share the cases out
AUTOSEG=($program)
ALL=($sbatch) # options of every job
TRAIN=($sbatch_train) # more of those that train
LOGS=$$ROOT/slurm

mkdir -p "$$LOGS"
export AUTOSEG_ROOT="$$ROOT"

# submit NAME OPTIONS... -- COMMAND...: submit a job, and print its number.
submit() {
  local name=$$1 options=()
  shift
  while [ "$$1" != -- ]; do
    options+=("$$1")
    shift
  done
  shift
  # exec: SLURM's warning goes to the job's own shell, which has to be the command.
  printf '#!/usr/bin/env bash\nexec %s\n' "$$(printf '%q ' "$$@")" |
    sbatch --parsable --job-name="autoseg-$$name" --output="$$LOGS/$$name-%A_%a.txt" \
      --kill-on-invalid-dep=yes "$${ALL[@]}" "$${options[@]}"
}

# A fold is told $warning s before its time ends, writes a checkpoint, and is queued
# again.
# SLURM tells the shell, which tells autoseg and waits until it has written.
fold() {
  cat <<'JOB'
again='' told=''
trap 'again=1 told=1; kill -USR1 "$$training"' USR1
"$$@" "$$SLURM_ARRAY_TASK_ID"$train &
training=$$!
# A wait that is interrupted says nothing of the training, however soon that ends.
while
  told='' code=0
  wait "$$training" || code=$$?
  [ -n "$$told" ]
do :; done
if [ -n "$$again" ] && [ "$$code" -eq 0 ]; then
  scontrol requeue "$${SLURM_ARRAY_JOB_ID}_$${SLURM_ARRAY_TASK_ID}"
fi
exit "$$code"
JOB
}

array=0-$$((PARTS - 1))
measured=$$(submit fingerprint --array="$$array" -- \
  "$${AUTOSEG[@]}" fingerprint "$$DATASET" --num-parts auto)
planned=$$(submit plan --dependency="afterok:$$measured" -- \
  "$${AUTOSEG[@]}" plan "$$DATASET" --name $plan$planning)
prepared=$$(submit preprocess --array="$$array" --dependency="afterok:$$planned" -- \
  "$${AUTOSEG[@]}" preprocess "$$DATASET" --plan $plan \
  -c "$${CONFIGURATIONS[@]}" --num-parts auto)
trained=
for configuration in "$${CONFIGURATIONS[@]}"; do
  job=$$(submit "train-$$configuration" "$${TRAIN[@]}" --array=0-$last_fold --requeue \
    --open-mode=append --signal=B:USR1@$warning --dependency="afterok:$$prepared" -- \
    bash -c "$$(fold)" fold "$${AUTOSEG[@]}" train --plan $plan \
    "$$DATASET" "$$configuration")
  trained=$$trained:$$job
done
best=$$(submit find_best --dependency="afterok$$trained" -- \
  "$${AUTOSEG[@]}" find_best "$$DATASET")
report=$$(submit report --dependency="afterok:$$best" -- \
  "$${AUTOSEG[@]}" report "$$DATASET")
echo "submitted: fingerprint $$measured, plan $$planned, preprocess $$prepared," \
  "train $${trained#:}, find_best $$best, report $$report"
echo "what they say: $$LOGS"
"""
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser)
    add_configuration(parser, "what is trained; by default 3d_fullres", several=True)
    parser.add_argument(
        "--parts",
        type=positive,
        default=8,
        metavar="N",
        help="jobs that share the cases out; default %(default)s",
    )
    parser.add_argument(
        "--folds",
        type=positive,
        metavar="N",
        help="of the cross-validation; by default those of the data set, mostly 5",
    )
    parser.add_argument(
        "--plan",
        default=DEFAULT_PLAN,
        metavar="NAME",
        help="name of the plan; by default %(default)s",
    )
    parser.add_argument(
        "--planning",
        default="",
        metavar="OPTIONS",
        help='more options of `autoseg plan`: --planning="--gpu-memory 24"',
    )
    parser.add_argument(
        "--training",
        default="",
        metavar="OPTIONS",
        help='more options of `autoseg train`: --training="--epochs 250"',
    )
    parser.add_argument(
        "--sbatch",
        default=SBATCH,
        metavar="OPTIONS",
        help='options of sbatch for every job; by default --sbatch="%(default)s"',
    )
    parser.add_argument(
        "--sbatch-train",
        default=SBATCH_TRAIN,
        metavar="OPTIONS",
        help='more of those for jobs that train; by default "%(default)s"',
    )


def run(arguments: argparse.Namespace) -> None:
    """Print the script."""
    script = slurm(
        chosen_dataset(arguments),
        arguments.root,
        configurations=arguments.configurations or ["3d_fullres"],
        parts=arguments.parts,
        folds=arguments.folds,
        plan=arguments.plan,
        planning=arguments.planning,
        training=arguments.training,
        sbatch=arguments.sbatch,
        sbatch_train=arguments.sbatch_train,
    )
    arguments.result = {"script": script}
    sys.stdout.write(script)


def slurm(
    dataset: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    configurations: Sequence[str] = ("3d_fullres",),
    parts: int = 8,
    folds: int | None = None,
    plan: str = DEFAULT_PLAN,
    planning: str = "",
    training: str = "",
    sbatch: str = SBATCH,
    sbatch_train: str = SBATCH_TRAIN,
) -> str:
    """Return a bash script that makes a model on a cluster with SLURM.

    Parameters
    ----------
    dataset : str or path
        A folder with a dataset.json, or the name or number of one in ``ROOT/raw``. It
        has to lie where all nodes see it, as ROOT has.
    root : str or path, optional
        ROOT; by default ``$AUTOSEG_ROOT``, else ``./autoseg_root``.
    configurations : sequence of str
        What is trained.
    parts : int
        Jobs that share the cases out.
    folds : int, optional
        Of the cross-validation; by default those of the data set's splits, else 5.
    plan : str
        Name of the plan.
    planning, training : str
        More options of `autoseg plan` and `autoseg train`, as on the command line.
    sbatch, sbatch_train : str
        Options of sbatch for every job, and more for those that train.

    Returns
    -------
    str
        The script. It submits jobs when it is run, and not before.

    Raises
    ------
    UsageError, DatasetError
        If the data set cannot be found, or an option does not exist.
    """
    if parts < 1 or (folds is not None and folds < 1):
        raise UsageError(f"parts {parts}, folds {folds}: there is 1 at least.")
    described, workspace = open_dataset(dataset, root)
    _check("plan", [str(dataset), *shlex.split(planning)])
    _check("train", [str(dataset), configurations[0], "0", *shlex.split(training)])
    if (place := workspace.plan(plan)).is_file():
        for configuration in configurations:
            Plan.load(place).configuration(configuration)  # says which there are
    if folds is None:
        folds = FOLDS
        if workspace.splits.is_file():
            folds = len(load_splits(workspace, described, quiet=True))
    return SCRIPT.substitute(
        name=" ".join(described.name.split()),
        dataset=shlex.quote(str(described.folder)),
        root=shlex.quote(str(workspace.root)),
        parts=parts,
        program=shlex.join([sys.executable, "-m", "autoseg"]),
        sbatch=shlex.join(shlex.split(sbatch)),
        sbatch_train=shlex.join(shlex.split(sbatch_train)),
        plan=shlex.quote(plan),
        planning=_more(planning),
        train=_more(training),
        configurations=shlex.join(configurations),
        last_fold=folds - 1,
        warning=WARNING,
    )


def _check(name: str, words: Sequence[str]) -> None:
    """Raise UsageError if a command does not take some words."""
    parser = _Asking(prog=f"autoseg {name}", allow_abbrev=False)
    COMMANDS[name].add_arguments(parser)
    parser.parse_args(words)


class _Asking(Parser):
    """A parser that says what is wrong, and does not end the program."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}")


def _more(options: str) -> str:
    return "".join(f" {shlex.quote(word)}" for word in shlex.split(options))
