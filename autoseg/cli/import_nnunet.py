"""Turn a model of nnU-Net v2 into one file of autoseg's.

Reads a model folder (Trainer__Plans__Configuration), a results folder or an exported
zip, and executes nothing that is in it. `autoseg predict -m` also takes such a model
as it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from autoseg.cli._arguments import add_overwrite, command, described


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    parser.add_argument("path", type=Path, metavar="PATH", help="folder or zip")
    parser.add_argument("-o", dest="output", type=Path, required=True, help="FILE.zip")
    parser.add_argument("-c", dest="configuration", help="which one, of several")
    parser.add_argument(
        "-f", dest="folds", nargs="+", help="default: all that are there"
    )
    parser.add_argument(
        "-chk", dest="checkpoint", default="final", help="final, best or latest"
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
    print(described(path))
    print(command("predict", "-m", path, "-i", "IMAGES", "-o", "OUT"))
