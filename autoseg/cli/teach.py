"""Make training cases of images that nobody annotated, by what a model is sure of.

A new data set has the annotated cases, which stay where they are, and one for each
image: what the model predicts, with `ignore` where it is unsure. Its folds hold out the
same cases as before, so that scores can be compared. Nothing is overwritten; Ctrl-C
stops it, and the same command goes on. docs/train.md says more.

example:
  autoseg teach DATASET IMAGES -m MODEL -o NEW_DATASET
"""

from __future__ import annotations

import argparse
from pathlib import Path

from autoseg.cli._arguments import command
from autoseg.cli._which import add_dataset, chosen_dataset

RESULT = "the folder of the new data set"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser)
    parser.add_argument(
        "images",
        type=Path,
        metavar="IMAGES",
        help="a folder of images, named as those of the data set",
    )
    parser.add_argument(
        "-m",
        "--model",
        required=True,
        metavar="MODEL",
        help="what predicts them: a bundle, such as that of find_best, a model's "
        "folder, or a name",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder of the new data set",
    )
    parser.add_argument(
        "-f", "--folds", nargs="+", metavar="FOLD", help="of the model; default: all"
    )
    parser.add_argument(
        "-c",
        "--configuration",
        metavar="NAME",
        help="of the model, if it has several",
    )
    parser.add_argument(
        "--sure",
        type=float,
        default=0.9,
        metavar="P",
        help="from which probability of a voxel, or score of an object, on it is "
        "taught; by default %(default)s",
    )
    parser.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="auto, cpu, cuda, cuda:N or mps",
    )


def run(arguments: argparse.Namespace) -> None:
    """Teach; say what comes next."""
    from autoseg.train.teach.stage import teach

    folder = teach(
        chosen_dataset(arguments),
        arguments.images,
        arguments.model,
        arguments.output,
        arguments.root,
        folds=arguments.folds,
        configuration=arguments.configuration,
        sure=arguments.sure,
        device=arguments.device,
    )
    arguments.result = {"dataset": folder}
    print(f"wrote {folder / 'dataset.json'}")
    print(f"Next: {command('plan_and_preprocess', folder, root=arguments.root)}")
