"""Which data set, configuration and fold: in this order, in all commands.

Each may also be given by its option, as nnU-Net's commands have them: ``-d DATASET -c
CONFIGURATION -f FOLD``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from autoseg.errors import UsageError, did_you_mean
from autoseg.workspace import ALL_FOLDS

DATASET = "a folder with a dataset.json, or the name or number of one in ROOT/raw"


def add_dataset(parser: argparse._ActionsContainer, several: bool = False) -> None:
    """Declare DATASET, by its place or by ``-d``, and ``--root``.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    several : bool
        Whether more than one data set may be given.
    """
    _add(parser, "dataset", ("-d", "--dataset"), DATASET, several)
    add_root(parser)


def add_configuration(
    parser: argparse._ActionsContainer,
    help: str = "one of the plan's: 2d, 3d_fullres, 3d_lowres, 3d_cascade_fullres",
    several: bool = False,
) -> None:
    """Declare CONFIGURATION, by its place or by ``-c``.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command, which has its DATASET.
    help : str
        What it is for.
    several : bool
        Whether more than one may be given, as ``configurations``.
    """
    words = ("-c", "--configuration", "--configurations")
    if several:
        _add(parser, "configurations", (words[0], words[2], words[1]), help, True)
    else:
        _add(parser, "configuration", words, help)


def add_fold(
    parser: argparse._ActionsContainer, help: str, several: bool = False
) -> None:
    """Declare FOLD, by its place or by ``-f``; several of them as ``folds``."""
    words = ("-f", "--fold", "--folds")
    if several:
        _add(parser, "folds", (words[0], words[2], words[1]), help, True)
    else:
        _add(parser, "fold", words, help)


def add_root(parser: argparse._ActionsContainer) -> None:
    """Declare ``--root``."""
    parser.add_argument(
        "--root",
        type=Path,
        help="where results go; by default $AUTOSEG_ROOT, else ./autoseg_root",
    )


def _add(
    parser: argparse._ActionsContainer,
    name: str,
    options: tuple[str, ...],
    help: str,
    several: bool = False,
) -> None:
    """Declare one argument twice: by its place and by its option."""
    word = name.removesuffix("s").upper()
    place: Any = "*" if several else "?"
    parser.add_argument(
        name,
        nargs=place,
        action=_Once,
        default=argparse.SUPPRESS,
        metavar=word,
        help=f"{help} (also {options[0]} {word})",
    )
    parser.add_argument(
        *options,
        dest=name,
        nargs="+" if several else None,
        action=_Once,
        metavar=word,
        help=argparse.SUPPRESS,
    )


class _Once(argparse.Action):
    """What stands at one of two places; lists at both of them are one list."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Keep what is given, unless it was given otherwise before."""
        before = getattr(namespace, self.dest, None)
        if isinstance(values, list):
            both = [before or (), values] if option_string else [values, before or ()]
            values = list(dict.fromkeys([*both[0], *both[1]])) or None
        elif before not in (None, values):
            what = "data set" if self.dest == "dataset" else self.dest
            raise UsageError(
                f"One {what} at a time, please: {before!r} and {values!r} are given."
            )
        setattr(namespace, self.dest, values)


def chosen_datasets(arguments: argparse.Namespace) -> list[str]:
    """Return the data sets that were given.

    Raises
    ------
    UsageError
        If there is none.
    """
    given = arguments.dataset
    if not given:
        raise UsageError(
            "which data set? Give a folder with a dataset.json, or the name or number "
            "of one in ROOT/raw."
        )
    return list(given) if isinstance(given, list) else [given]


def chosen_dataset(arguments: argparse.Namespace) -> str:
    """Return the data set that was given to a command that takes one.

    Raises
    ------
    UsageError
        If there is none.
    """
    return chosen_datasets(arguments)[0]


def chosen_configuration(arguments: argparse.Namespace) -> str:
    """Return the configuration that was given.

    Raises
    ------
    UsageError
        If there is none; the message says what the plan has.
    """
    given: str | None = arguments.configuration
    if given is None:
        raise UsageError(f"which configuration? {_offered(arguments)}")
    return given


def chosen_fold(arguments: argparse.Namespace) -> str:
    """Return the fold that was given, after data set and configuration.

    Raises
    ------
    UsageError
        If one of the three is missing, or it is no fold.
    """
    chosen_dataset(arguments)
    chosen_configuration(arguments)
    given: str | None = arguments.fold
    if given is None:
        raise UsageError(
            "which fold? Give its number, from 0 on, all-folds or all, as in: autoseg "
            f"train {arguments.dataset} {arguments.configuration} 0"
        )
    if not (given.isdigit() or given in (ALL_FOLDS, "all")):
        near = did_you_mean(given, [ALL_FOLDS, "all"])
        raise UsageError(
            f"fold {given!r} is neither a number from 0 on nor {ALL_FOLDS} nor all."
            f"{near}"
        )
    return given


def _offered(arguments: argparse.Namespace) -> str:
    """Say which configurations there are, as far as a plan is there."""
    from autoseg.errors import AutosegError
    from autoseg.spec.plan import Plan
    from autoseg.workspace import DEFAULT_PLAN, Workspace

    try:
        space = Workspace.find(chosen_dataset(arguments), arguments.root)
        plan = Plan.load(space.plan(arguments.plan or DEFAULT_PLAN))
    except AutosegError:
        return "Give 2d or 3d_fullres, for example, behind the data set."
    return f"Plan {plan.name} has {', '.join(plan.configurations)}."
