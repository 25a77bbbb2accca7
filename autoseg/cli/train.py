"""Train a fold of a configuration, or all; one that was stopped goes on by itself.

Reads the plan and the preprocessed cases (which are made if they are missing) and
writes ROOT/results/DATASET/PLAN/CONFIGURATION/fold_N: checkpoints, log.jsonl,
progress.png, run.json with every number, and the predictions and scores of the
validation cases. Ctrl-C finishes the iteration and writes a checkpoint; so do SIGTERM
and SIGUSR1, by which batch systems announce the end of a job: then the exit code is 0.
docs/train.md says more, docs/cluster.md how to train on a cluster.

examples:
  autoseg train DATASET 3d_fullres 0
  autoseg train DATASET 3d_fullres all-folds    (a cross-validation)
"""

from __future__ import annotations

import argparse
from typing import Any

from autoseg.cli._arguments import add_extending, command, positive
from autoseg.cli._parts import add_cluster
from autoseg.cli._settings import add_settings, parse_settings
from autoseg.cli._which import add_configuration, add_dataset, add_fold, chosen_fold
from autoseg.report.live import live_page, tell_page
from autoseg.stopping import was_wished
from autoseg.workspace import ALL_FOLDS, DEFAULT_PLAN, find_dataset, find_root

RESULT = "the folders of the folds"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare this command's arguments."""
    add_dataset(parser)
    add_configuration(parser)
    add_fold(
        parser,
        "its number, from 0 on; all-folds: what is missing of the cross-validation; "
        "all: one training on every case",
    )
    parser.add_argument(
        "--plan",
        "-p",
        default=DEFAULT_PLAN,
        metavar="NAME",
        help="name of the plan; by default %(default)s",
    )
    parser.add_argument(
        "--network",
        metavar="NAME",
        help="train another network than the plan's, beside it: planned in the same "
        "way, as the plan NAME (of --plan OTHER: OTHER_NAME)",
    )
    _add_length(parser)
    _add_numbers(parser)
    _add_machine(parser)
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="throw away what was trained of this fold before",
    )
    parser.add_argument(
        "--retrain-changed",
        action="store_true",
        help="train again what was trained on data that changed since",
    )
    add_extending(parser)
    parser.add_argument(
        "--no-validation",
        action="store_true",
        help="do not predict and score the validation cases at the end",
    )
    parser.add_argument(
        "--log",
        nargs="+",
        default=[],
        metavar="NAME",
        help="who is told of the curves, too: tensorboard, mlflow, wandb; a training "
        "that goes on goes on there",
    )


def _add_length(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how long (epochs, iterations or time)")
    group.add_argument("--epochs", type=positive, metavar="N", help="of 250 iterations")
    group.add_argument("--iterations", type=positive, metavar="N", help="in all")
    group.add_argument(
        "--time-budget",
        metavar="TIME",
        help="such as 45m or 2h30m: the schedule is fitted so that it ends in time, "
        "validation included, and network and batch are made smaller if the planned "
        "ones would learn too little in it",
    )
    group.add_argument(
        "--patience",
        type=float,
        metavar="N",
        help="end early when the validation score has got no better for N epochs, or, "
        "below 1, for this share of the training, as in 0.3; what is kept are the best "
        "weights. By default training goes on to its end",
    )
    group.add_argument(
        "--freeze",
        choices=("encoder",),
        help="with --init-from: let this part of the network stay as it is",
    )
    group.add_argument(
        "--keep-network",
        action="store_true",
        help="with --time-budget: train network and batch as planned all the same",
    )


def _add_numbers(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how (recorded in run.json)")
    group.add_argument(
        "--recipe",
        metavar="NAME",
        help="nnunet, fast, adamw, or auto: the network's own if it has one, else by "
        "the number of iterations; by default the plan's",
    )
    group.add_argument(
        "--lr",
        "--learning-rate",
        type=float,
        metavar="RATE",
        help="highest learning rate",
    )
    group.add_argument(
        "--batch-size", type=positive, metavar="N", help="by default the plan's"
    )
    group.add_argument("--seed", type=int, metavar="N", help="by default 0")
    group.add_argument(
        "--init-from",
        metavar="MODEL",
        help="start from the weights of a model, as far as they fit",
    )
    add_settings(
        group,
        "any other number: train.momentum=0.9, patch_size=40x56x40, "
        "network.features=8,16,32,64",
    )


def _add_machine(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("where")
    group.add_argument(
        "--device",
        "-device",
        default="auto",
        metavar="DEVICE",
        help="auto, cpu, cuda, cuda:N or mps; or several, with commas between, that "
        "train the fold together; for all-folds, a fold each",
    )
    group.add_argument(
        "--processes",
        type=positive,
        metavar="N",
        help="that train one fold together, each with a share of every batch; by "
        "default one for each device. torchrun starts them, too, also on several "
        "machines",
    )
    add_cluster(group, "folds, one on each worker")
    group.add_argument(
        "--precision",
        default="auto",
        choices=("auto", "fp32", "bf16", "fp16"),
        help="of the network's layers; auto: what is faster here and safe",
    )
    group.add_argument(
        "--compile",
        default="auto",
        choices=("auto", "on", "off"),
        help="use torch.compile; auto: on a GPU. Where it fails, training goes on "
        "without it",
    )
    group.add_argument(
        "--threads",
        type=positive,
        metavar="N",
        help="of an operation on the CPU; by default as many as there are cores, "
        "shared by the processes",
    )
    group.add_argument(
        "--workers",
        "-np",
        type=_not_negative,
        metavar="N",
        help="threads that read and augment",
    )
    group.add_argument(
        "--max-memory",
        type=float,
        metavar="GB",
        help="most memory to take for preparing cases before and predicting them after "
        "the training; by default four fifths of what is free. The training itself "
        "takes what its plan says",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and say where the result is; 0 also if a batch system stopped it."""
    arguments.result = None
    chosen_fold(arguments)
    try:
        _train(arguments)
    except KeyboardInterrupt:
        if not was_wished():
            raise
    return 0


def _train(arguments: argparse.Namespace) -> None:
    from autoseg.train.setup.options import seconds_of
    from autoseg.train.setup.ranks import speaks

    options = {
        "plan": arguments.plan,
        "network": arguments.network,
        "recipe": arguments.recipe,
        "epochs": arguments.epochs,
        "iterations": arguments.iterations,
        "time_budget": seconds_of(arguments.time_budget),
        "patience": arguments.patience,
        "lr": arguments.lr,
        "batch_size": arguments.batch_size,
        "seed": arguments.seed,
        "settings": parse_settings(arguments.settings),
        "device": arguments.device,
        "processes": arguments.processes,
        "precision": arguments.precision,
        "compile": arguments.compile,
        "threads": arguments.threads,
        "workers": arguments.workers,
        "max_memory": arguments.max_memory,
        "init_from": arguments.init_from,
        "freeze": arguments.freeze,
        "keep_network": arguments.keep_network,
        "overwrite": arguments.overwrite,
        "retrain_changed": arguments.retrain_changed,
        "extend_splits": arguments.extend_splits,
        "validation": not arguments.no_validation,
        "cluster": arguments.cluster,
        "log": tuple(arguments.log),
    }
    with live_page(arguments.dataset, arguments.root, speaks()):
        lines = _trained(arguments, options)
    if not speaks():
        return
    tell_page(arguments.dataset, arguments.root)
    print(*lines, sep="\n")


def _trained(arguments: argparse.Namespace, options: dict[str, Any]) -> list[str]:
    """Train, and return what is said of it in the end."""
    from autoseg.train.setup.ranks import speaks
    from autoseg.train.stage import train

    where = arguments.dataset, arguments.configuration
    if arguments.fold == ALL_FOLDS:
        from autoseg.train.folds import train_folds

        folders = train_folds(*where, arguments.root, **options)
        arguments.result = [str(folder) for folder in folders]
        following = command("find_best", arguments.dataset, root=arguments.root)
        return [*map(str, folders), f"Next: {following}"]
    folder = train(*where, arguments.fold, arguments.root, **options)
    lines = [str(folder)]
    arguments.result = lines[:1]
    if not speaks():
        return lines
    images = find_dataset(arguments.dataset, find_root(arguments.root)) / "imagesTs"
    if images.is_dir() and any(images.iterdir()):
        model = ["-m", folder.parent, "-f", arguments.fold]
        following = command("predict", "-i", images, "-o", "predictions", *model)
        lines.append(f"Next: {following}")
    return lines


def _not_negative(text: str) -> int:
    if not text.strip().isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)
