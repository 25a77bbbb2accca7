"""Turn a model of nnU-Net v2 into one file of autoseg's.

Reads a model folder (Trainer__Plans__Configuration), a results folder or an exported
zip, and executes nothing that is in it. `autoseg predict -m` also takes such a model
as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from autoseg.cli._arguments import add_overwrite, command, described
from autoseg.cli._which import add_configuration, add_fold

RESULT = "the file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    parser.add_argument("path", type=Path, metavar="PATH", help="folder or zip")
    add_configuration(parser, "which one, of several")
    add_fold(parser, "which folds; by default all that are there", several=True)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.zip", help="the model"
    )
    parser.add_argument(
        "--checkpoint",
        "-chk",
        default="final",
        metavar="NAME",
        help="final, best or latest; default %(default)s",
    )
    parser.add_argument(
        "--license", default="not stated", help="terms of the weights, for the card"
    )
    add_overwrite(parser)


def run(arguments: argparse.Namespace) -> None:
    """Read, check and write; say what is in it."""
    from autoseg.model.export import import_nnunet

    path = import_nnunet(
        arguments.path,
        arguments.output,
        configuration=arguments.configuration,
        folds=arguments.folds,
        checkpoint=arguments.checkpoint,
        license=arguments.license,
        overwrite=arguments.overwrite,
    )
    arguments.result = {"file": path}
    print(described(path))
    print(command("predict", "-m", path, "-i", "IMAGES", "-o", "OUT"))
