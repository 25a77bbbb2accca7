"""Make one data set of several, whose labels are united by name.

Images stay where they are: the new dataset.json names their places. What a data set
does not name, its cases say nothing of, and training and scores know it (`annotated`,
docs/dataset.md). Nothing is overwritten.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from autoseg.cli._arguments import command
from autoseg.cli._which import add_root

RESULT = "the folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    parser.add_argument(
        "datasets", nargs="+", metavar="DATASET", help="two or more, by folder or name"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="of the new data set",
    )
    add_root(parser)


def run(arguments: argparse.Namespace) -> None:
    """Unite them; say what comes next."""
    from autoseg.datasets.merge import merge

    folder = merge(arguments.datasets, arguments.output, root=arguments.root)
    arguments.result = {"dataset": folder}
    print(f"wrote {folder / 'dataset.json'}")
    print(command("check", folder))
