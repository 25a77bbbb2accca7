"""Let the planned network learn from images without annotation, before training.

Blocks of the images are hidden, and the network learns to fill them in. What it has
learned is a checkpoint that training starts from, which pays where few cases are
annotated and many are not. Ctrl-C stops it, and the same command goes on.
docs/train.md says more.

examples:
  autoseg pretrain IMAGES DATASET 3d_fullres --time-budget 1h
  autoseg train DATASET 3d_fullres 0 --init-from CHECKPOINT    (it says which)
"""

from __future__ import annotations

import argparse
from pathlib import Path

from autoseg.cli._arguments import command, positive
from autoseg.cli._settings import add_settings, parse_settings
from autoseg.cli._which import (
    add_configuration,
    add_dataset,
    chosen_configuration,
    chosen_dataset,
)
from autoseg.workspace import DEFAULT_PLAN

RESULT = "the checkpoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    parser.add_argument(
        "images",
        type=Path,
        metavar="IMAGES",
        help="a folder of images, named as those of the data set",
    )
    add_dataset(parser)
    add_configuration(parser, "one of the plan's: 2d, 3d_fullres, 3d_lowres")
    parser.add_argument(
        "--plan",
        "-p",
        default=DEFAULT_PLAN,
        metavar="NAME",
        help="name of the plan; by default %(default)s",
    )
    _add_length(parser)
    _add_numbers(parser)
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="throw away what was pretrained before",
    )


def _add_length(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how long (one of them)")
    group.add_argument("--epochs", type=positive, metavar="N", help="of 250 iterations")
    group.add_argument("--iterations", type=positive, metavar="N", help="in all")
    group.add_argument(
        "--time-budget",
        metavar="TIME",
        help="such as 45m; the network is the one that training in such a time gets",
    )
    group.add_argument(
        "--keep-network",
        action="store_true",
        help="with --time-budget: learn with network and batch as planned all the same",
    )


def _add_numbers(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how (recorded in run.json)")
    group.add_argument(
        "--hidden",
        type=float,
        default=0.6,
        metavar="SHARE",
        help="of each patch; by default %(default)s",
    )
    group.add_argument("--recipe", metavar="NAME", help="as of training")
    group.add_argument("--lr", type=float, metavar="RATE", help="highest learning rate")
    group.add_argument(
        "--batch-size", type=positive, metavar="N", help="by default the plan's"
    )
    group.add_argument("--seed", type=int, metavar="N", help="by default 0")
    add_settings(group, "any other number, as of training: network.features=8,16,32")
    where = parser.add_argument_group("where")
    where.add_argument(
        "--device",
        default="auto",
        metavar="DEVICE",
        help="auto, cpu, cuda, cuda:N or mps",
    )
    where.add_argument(
        "--precision", default="auto", choices=("auto", "fp32", "bf16", "fp16")
    )
    where.add_argument(
        "--threads", type=positive, metavar="N", help="of an operation on the CPU"
    )
    where.add_argument(
        "--workers", type=positive, metavar="N", help="threads that read"
    )


def run(arguments: argparse.Namespace) -> None:
    """Pretrain; say where the checkpoint is and what comes next."""
    from autoseg.train.pretrain.stage import pretrain

    dataset = chosen_dataset(arguments)
    configuration = chosen_configuration(arguments)
    file = pretrain(
        arguments.images,
        dataset,
        configuration,
        arguments.root,
        plan=arguments.plan,
        recipe=arguments.recipe,
        epochs=arguments.epochs,
        iterations=arguments.iterations,
        time_budget=arguments.time_budget,
        lr=arguments.lr,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        settings=parse_settings(arguments.settings),
        hidden=arguments.hidden,
        device=arguments.device,
        precision=arguments.precision,
        threads=arguments.threads,
        workers=arguments.workers,
        keep_network=arguments.keep_network,
        overwrite=arguments.overwrite,
    )
    arguments.result = {"checkpoint": file}
    print(file)
    words = ["train", dataset, configuration, "0"]
    if arguments.plan != DEFAULT_PLAN:
        words += ["--plan", arguments.plan]
    following = command(*words, "--init-from", file, root=arguments.root)
    print(f"Next, with the length that you want: {following}")
