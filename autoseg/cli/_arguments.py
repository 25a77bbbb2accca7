"""Arguments that several commands share, so that they are spelled the same."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from autoseg.errors import UsageError


def add_dataset(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Declare DATASET, also as nnU-Net's ``-d``, and ``--root``.

    Parameters
    ----------
    parser : ArgumentParser
        Of the command.
    several : bool
        Whether more than one data set may be given.
    """
    parser.add_argument(
        "dataset",
        nargs="*" if several else "?",
        metavar="DATASET",
        help="a folder with a dataset.json, or the name or number of one in ROOT/raw",
    )
    parser.add_argument(
        "-d",
        dest="dataset_option",
        nargs="+" if several else None,
        metavar="DATASET",
        help="the same",
    )
    add_root(parser)


def add_root(parser: argparse.ArgumentParser) -> None:
    """Declare ``--root``."""
    parser.add_argument(
        "--root",
        type=Path,
        help="where results go; by default $AUTOSEG_ROOT, else ./autoseg_root",
    )


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


def add_parts(parser: argparse.ArgumentParser) -> None:
    """Declare ``--num-parts`` and ``--part-id``, for several machines."""
    parser.add_argument(
        "--num-parts",
        "-num_parts",
        type=positive,
        default=1,
        metavar="N",
        help="share the cases out over N runs of this command",
    )
    parser.add_argument(
        "--part-id",
        "-part_id",
        type=int,
        default=0,
        metavar="I",
        help="which share this run takes: 0 to N - 1",
    )


def chosen_datasets(arguments: argparse.Namespace) -> list[str]:
    """Return the data sets that were given, by position and by ``-d``.

    Raises
    ------
    UsageError
        If there is none.
    """
    found: list[str] = []
    for given in (arguments.dataset, arguments.dataset_option):
        if given is not None:
            found += given if isinstance(given, list) else [given]
    if not found:
        raise UsageError(
            "which data set? Give a folder with a dataset.json, or the name or number "
            "of one in ROOT/raw."
        )
    return list(dict.fromkeys(found))


def command(*words: object, root: object = None) -> str:
    """Return a command as it can be pasted into a shell, with ``--root`` if given.

    Examples
    --------
    >>> command("find_best", "My Data", root="here")
    "autoseg find_best 'My Data' --root here"
    """
    last = [] if root is None else ["--root", str(root)]
    return shlex.join(["autoseg", *map(str, words), *last])


def positive(text: str) -> int:
    """Read a whole number from 1 on."""
    value = int(text) if text.strip().lstrip("+").isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return value
