"""Do all that comes before training: fingerprint, plan and preprocess.

Each of the three is a command of its own; this one runs them one after the other and
skips what is done already. `autoseg plan DATASET` prints why the plan is what it is.
"""

from __future__ import annotations

import argparse
import shlex

from autoseg.cli._arguments import (
    add_extending,
    add_memory,
    add_planning,
    add_preparing,
    add_workers,
    budget_of,
    positive,
    verify,
)
from autoseg.cli._parts import add_parts, parts_of
from autoseg.cli._which import add_dataset, chosen_datasets
from autoseg.prepare import plan_and_preprocess
from autoseg.spec.plan import Plan
from autoseg.workspace import ALL_FOLDS, Workspace, find_root

RESULT = "the plan of each data set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser, several=True)
    add_planning(parser)
    add_preparing(parser)
    add_extending(parser)
    add_workers(parser)
    add_memory(parser)
    add_parts(parser)
    parser.add_argument(
        "--fingerprint-workers",
        "-npfp",
        dest="npfp",
        type=positive,
        metavar="N",
        help="as --workers, for the fingerprint only",
    )
    parser.add_argument(
        "--verify-dataset-integrity",
        "--verify_dataset_integrity",
        action="store_true",
        help="run `autoseg check` first, and stop if it finds an error",
    )
    parser.add_argument(
        "--clean",
        action="store_true",
        help="make the fingerprint again even if no file has changed",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="redo everything, the fingerprint and all preprocessed cases",
    )
    parser.add_argument(
        "--no-preprocessing",
        "--no_pp",
        action="store_true",
        help="stop after planning",
    )


def run(arguments: argparse.Namespace) -> None:
    """Run the three stages on each of the data sets."""
    budget = budget_of(arguments)
    num_parts, part_id = parts_of(arguments)
    arguments.result = []
    for dataset in chosen_datasets(arguments):
        if arguments.verify_dataset_integrity:
            verify(dataset, arguments.root, arguments.workers)
        made = plan_and_preprocess(
            dataset,
            arguments.root,
            planner=arguments.planner,
            name=arguments.name or arguments.network,
            budget=budget,
            configurations=arguments.configurations,
            precision=arguments.precision,
            workers=arguments.workers,
            max_memory=arguments.max_memory,
            fingerprint_workers=arguments.npfp,
            preprocessing=not arguments.no_preprocessing,
            clean=arguments.clean,
            overwrite=arguments.overwrite,
            extend_splits=arguments.extend_splits,
            num_parts=num_parts,
            part_id=part_id,
            cluster=arguments.cluster,
        )
        arguments.result.append(made)
        print(_summary(made))
        print(_next(made, dataset, arguments))


def _summary(made: Plan) -> str:
    lines = [f"Plan {made.name} for {made.dataset}"]
    for name, configuration in made.configurations.items():
        patch = " x ".join(map(str, configuration.patch_size))
        spacing = " x ".join(f"{edge:.4g}" for edge in configuration.spacing)
        lines.append(
            f"  {name}: patch {patch}, batch {configuration.batch_size}, "
            f"spacing {spacing} {made.unit}"
        )
    return "\n".join(lines)


def _next(made: Plan, dataset: str, arguments: argparse.Namespace) -> str:
    """Say what to type next."""
    offered = arguments.configurations or list(made.configurations)
    best = "3d_fullres" if "3d_fullres" in offered else offered[0]
    place = Workspace(root=find_root(arguments.root), dataset=made.dataset)
    fold = "0" if place.splits.is_file() or arguments.no_preprocessing else "all"
    more = [] if made.name == "unet" else ["--plan", made.name]
    if arguments.root is not None:
        more += ["--root", str(arguments.root)]
    # A fine stage of landmarks comes after the coarse one, on the same fold.
    after = [n for n in offered if made.configurations[n].previous == best]
    commands = [
        shlex.join(["autoseg", "train", str(dataset), name, fold, *more])
        for name in (best, *after)
    ]
    lines = ["Next: " + commands[0], *(f"then: {command}" for command in commands[1:])]
    if fold == "0":
        lines.append("or a cross-validation, after which find_best compares:")
        ordered = sorted(offered, key=lambda name: name in after)
        lines += [
            "  "
            + shlex.join(["autoseg", "train", str(dataset), name, ALL_FOLDS, *more])
            for name in ordered
        ]
    return "\n".join(lines)
