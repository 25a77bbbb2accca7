"""Bring every training case to the grids of a plan, ready to be trained on.

Reads the plan and the raw files, each once, and writes one folder for each
configuration to ROOT/preprocessed/DATASET. Cases that are there already are kept; an
interrupted run goes on where it was; one failing case does not stop the others.
"""

from __future__ import annotations

import argparse

from autoseg.cli._arguments import add_extending, add_memory, add_preparing, add_workers
from autoseg.cli._parts import add_parts, parts_of
from autoseg.cli._which import add_dataset, chosen_datasets
from autoseg.preprocess.stage import preprocess
from autoseg.workspace import DEFAULT_PLAN, Workspace

RESULT = "where the cases of each data set are"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser, several=True)
    parser.add_argument(
        "--plan",
        "-plans_name",
        default=DEFAULT_PLAN,
        metavar="NAME",
        help="name of the plan; by default %(default)s",
    )
    add_preparing(parser)
    add_extending(parser)
    add_workers(parser)
    add_memory(parser)
    add_parts(parser)
    parser.add_argument(
        "--overwrite", action="store_true", help="also redo what is there already"
    )


def run(arguments: argparse.Namespace) -> None:
    """Preprocess each of the data sets."""
    num_parts, part_id = parts_of(arguments)
    arguments.result = []
    for dataset in chosen_datasets(arguments):
        preprocess(
            dataset,
            arguments.root,
            plan=arguments.plan,
            configurations=arguments.configurations,
            workers=arguments.workers,
            max_memory=arguments.max_memory,
            overwrite=arguments.overwrite,
            num_parts=num_parts,
            part_id=part_id,
            cluster=arguments.cluster,
            precision=arguments.precision,
            extend=arguments.extend_splits,
        )
        place = Workspace.find(dataset, arguments.root)
        arguments.result.append({"dataset": dataset, "folder": place.preprocessed})
