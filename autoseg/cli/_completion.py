"""What a shell needs to complete commands, options and their values with Tab."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from autoseg.errors import UsageError, did_you_mean


def script(
    shell: str, commands: Mapping[str, tuple[str, argparse.ArgumentParser]]
) -> str:
    """Return a shell's completion script for all commands.

    Parameters
    ----------
    shell : str
        ``bash``, ``zsh`` or ``tcsh``.
    commands : mapping of str to (str, ArgumentParser)
        Of each command its summary and its parser.

    Returns
    -------
    str
        The script; where it belongs is said in docs/interfaces.md.

    Raises
    ------
    UsageError
        If the shell is unknown, or the package shtab is missing.
    """
    try:
        import shtab
    except ImportError as error:
        raise UsageError(
            "completion is written by the package shtab, which is not installed: "
            "pip install shtab, or autoseg[completion]."
        ) from error
    shells = sorted(shtab.SUPPORTED_SHELLS)
    if shell not in shells:
        raise UsageError(
            f"there is no completion for {shell!r}.{did_you_mean(shell, shells)} "
            f"There is for: {', '.join(shells)}."
        )
    return str(shtab.complete(_all_commands(commands, shtab.FILE), shell=shell))


def _all_commands(
    commands: Mapping[str, tuple[str, argparse.ArgumentParser]], files: Any
) -> argparse.ArgumentParser:
    """Return one parser of all commands; what may be a path completes to paths."""
    parser = argparse.ArgumentParser(prog="autoseg")
    parser.add_argument("--version", action="store_true", help="print the version")
    children = parser.add_subparsers()
    for name, (text, known) in commands.items():
        child = children.add_parser(name, help=text, parents=[known], add_help=False)
        for action in child._actions:
            takes_value = action.nargs != 0 and not action.choices
            if takes_value and action.type not in (int, float):
                action.complete = files  # type: ignore[attr-defined]
    return parser
