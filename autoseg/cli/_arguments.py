"""Arguments that several commands share, so that they are spelled the same."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from autoseg.cli._settings import add_settings, parse_settings
from autoseg.errors import DatasetError, amount

if TYPE_CHECKING:
    from planners.base import Budget


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Declare ``--overwrite`` of a command whose output has a name of the user's."""
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace also files that autoseg did not write; never what is read",
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Declare ``--workers``, also as nnU-Net's ``-np``."""
    parser.add_argument(
        "--workers",
        "-np",
        type=positive,
        metavar="N",
        help="cases worked on at the same time; by default as many as there are cores, "
        "and never more than fit in memory. It changes no result",
    )


def add_memory(parser: argparse.ArgumentParser) -> None:
    """Declare ``--max-memory``, of stages that go over the cases."""
    parser.add_argument(
        "--max-memory",
        type=float,
        metavar="GB",
        help="most memory to take; by default four fifths of what is free. Images too "
        "large for it stay in their files and are read part by part. It changes no "
        "result",
    )


def add_planning(parser: argparse.ArgumentParser) -> None:
    """Declare what chooses a planner and its budget."""
    from planners import PLANNERS

    parser.add_argument(
        "--planner",
        default="unet",
        metavar="NAME",
        help=f"one of {', '.join(PLANNERS.names())}; by default %(default)s",
    )
    parser.add_argument(
        "--network",
        metavar="NAME",
        help="another network than the planner's, planned within the same memory; the "
        "plan has its name. docs/networks.md says which there are",
    )
    parser.add_argument(
        "--preset", metavar="SIZE", help="size of the planner: M, L or XL"
    )
    parser.add_argument(
        "--name",
        "-overwrite_plans_name",
        metavar="NAME",
        help="name of the plan; by default the planner's, with the preset",
    )
    parser.add_argument(
        "--gpu-memory",
        "-gpu_memory_target",
        type=float,
        metavar="GB",
        help="device memory for training; by default 8, or the preset's (M 8, L 24, "
        "XL 40), and with --budget-rule bytes that of the GPU that is there; for "
        "landmarks 0.5 if there is no GPU",
    )
    parser.add_argument(
        "--gpus",
        type=positive,
        default=1,
        metavar="N",
        help="that train together and share a batch, with that memory each",
    )
    parser.add_argument(
        "--budget-rule",
        choices=("nnunet", "bytes"),
        default="nnunet",
        help="nnunet: plans as nnU-Net v2 makes them; bytes: by what a step needs",
    )
    parser.add_argument(
        "--operations",
        type=as_count,
        metavar="N",
        help="most multiplications and additions of a forward pass over one patch, as "
        "in 2G: the network's widths are chosen for it",
    )
    add_settings(
        parser,
        "fix values and plan around them: spacing, patch_size, batch_size, network, "
        "network.features, ..., also for one configuration, as in 2d.batch_size=16",
    )


UNITS = {"K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def as_count(text: str) -> float:
    """Return a number that may end with K, M, G or T.

    Examples
    --------
    >>> as_count("2G"), as_count("500m"), as_count("1e9")
    (2000000000.0, 500000000.0, 1000000000.0)
    """
    unit = UNITS.get(text[-1:].upper())
    number = text if unit is None else text[:-1]
    try:
        return float(number) * (unit or 1)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number, such as 2G or 500M"
        ) from None


def budget_of(arguments: argparse.Namespace) -> Budget:
    """Return the budget that the arguments of `add_planning` give."""
    from planners.stage import make_budget

    return make_budget(
        preset=arguments.preset,
        gpu_memory=arguments.gpu_memory,
        budget_rule=arguments.budget_rule,
        settings=parse_settings(arguments.settings),
        network=arguments.network,
        operations=arguments.operations,
        gpus=arguments.gpus,
    )


def add_preparing(parser: argparse.ArgumentParser) -> None:
    """Declare which configurations are preprocessed, and how they are stored."""
    from autoseg.preprocess.packing import PRECISIONS

    parser.add_argument(
        "-c",
        "--configurations",
        nargs="+",
        metavar="NAME",
        help="such as 2d or 3d_fullres; by default all that the plan has",
    )
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="in which images are stored; auto: float16 unless a value is too large",
    )


def verify(dataset: str, root: Path | None, workers: int | None = None) -> None:
    """Check a data set, print every problem, and raise if it cannot be used.

    Parameters
    ----------
    dataset : str
        A folder, or the name or number of a data set in ``ROOT/raw``.
    root : Path or None
        ROOT.
    workers : int, optional
        Cases looked at at the same time.

    Raises
    ------
    DatasetError
        If there is an error among the problems; warnings are printed only.
    """
    from autoseg.datasets.read import load_dataset
    from autoseg.fingerprint.check.stage import check_dataset
    from autoseg.workspace import find_dataset, find_root

    folder = find_dataset(dataset, find_root(root))
    problems = check_dataset(load_dataset(folder), workers)
    for problem in problems:
        said = f"{problem.severity}: {problem.file}: {problem.found} {problem.fix}"
        print(said.rstrip(), file=sys.stderr)
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        raise DatasetError(
            f"{folder} has {amount(errors, 'error')}, listed above. Mend them and "
            "run the same "
            "command again."
        )


def add_extending(parser: argparse.ArgumentParser) -> None:
    """Declare how cases that came later join the folds."""
    parser.add_argument(
        "--extend-splits",
        nargs="?",
        const="folds",
        choices=("folds", "train"),
        help="cases that are in no fold yet join: folds (the default), each held out "
        "by one of them; or train, the training of all. What is trained stays",
    )


def command(*words: object, root: object = None) -> str:
    """Return a command as it can be pasted into a shell, with ``--root`` if given.

    Examples
    --------
    >>> command("find_best", "My Data", root="here")
    "autoseg find_best 'My Data' --root here"
    """
    last = [] if root is None else ["--root", str(root)]
    return shlex.join(["autoseg", *map(str, words), *last])


def described(bundle: Path) -> str:
    """Return what is in a bundle, in one line."""
    from autoseg.model.load import load_model

    model = load_model(bundle)
    return (
        f"{bundle}: {model.plan.dataset}, {model.configuration}, folds "
        f"{', '.join(model.folds)}, {bundle.stat().st_size / 2**20:.1f} MiB"
    )


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    value = int(text) if text.strip().lstrip("+").isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return value
