"""How arguments are read: the same for all commands."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from autoseg.cli._help import Help
from autoseg.cli._json import print_error
from autoseg.errors import did_you_mean


def make_parser(name: str, command: Any) -> argparse.ArgumentParser:
    """Return the parser of one command.

    Parameters
    ----------
    name : str
        The command.
    command : module
        What `autoseg.cli.main.load_command` gave.

    Returns
    -------
    ArgumentParser
        With the command's own arguments, ``--verbose``, ``--quiet`` and, where it says
        its ``RESULT``, ``--json``.
    """
    parser = Parser(
        prog=f"autoseg {name}",
        description=command.__doc__,
        formatter_class=Help,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    parser.add_argument(
        "--quiet", action="store_true", help="say nothing but results and warnings"
    )
    if hasattr(command, "RESULT"):
        parser.add_argument(
            "--json",
            action="store_true",
            help=f"print {command.RESULT} as JSON, and nothing else",
        )
    # Some commands have a --verbose of their own, which is meant the same.
    with contextlib.suppress(argparse.ArgumentError):
        parser.add_argument(
            "--verbose",
            action="store_true",
            help="say more, and show where an error came from",
        )
    for action in parser._actions:
        # All spellings are understood, one is shown: in help, messages and completion.
        action.option_strings = shown(action.option_strings)
    return parser


def shown(spellings: Sequence[str]) -> list[str]:
    """Return which spellings of an option are shown: a letter, and a word.

    Others, such as nnU-Net's, are understood and not named. Of several words the first
    stands for all; one with hyphens goes before one with underscores.

    Examples
    --------
    >>> shown(["-step_size", "--step-size"]), shown(["-f", "--folds", "--fold"])
    (['--step-size'], ['-f', '--folds'])
    >>> shown(["-npp"]), shown([])
    (['-npp'], [])
    """
    letters = [word for word in spellings if len(word) == 2]
    words = [word for word in spellings if word.startswith("--") and "_" not in word]
    return [*letters[:1], *words[:1]] or list(spellings[:1])


SAME = (
    ("--workers", "--threads", "--jobs", "--num-workers", "--processes", "--cpus"),
    ("--device", "--gpu", "--cuda"),
    ("--lr", "--learning-rate"),
    ("--overwrite", "--force"),
)
"""Words of other commands and other tools for what an option here is for."""


class Parser(argparse.ArgumentParser):
    """A parser that takes arguments in any order, and says what was perhaps meant."""

    _words: Sequence[str] = ()

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Return the arguments; options may stand between those without a name."""
        given = sys.argv[1:] if args is None else args
        self._words = [self._spelled(word) for word in given]
        rest = (argparse.REMAINDER, argparse.PARSER)
        plain = any(action.nargs in rest for action in self._get_positional_actions())
        parse = self.parse_known_args if plain else self.parse_known_intermixed_args
        found, unknown = parse(self._words, namespace)
        if unknown:
            near = self._perhaps(unknown)
            self.error(f"unrecognized arguments: {' '.join(unknown)}.{near}")
        return found

    def error(self, message: str) -> NoReturn:
        """End the program; with ``--json`` also in the form that programs read.

        The list of all options, which argparse prints above, hides what is wrong.
        """
        if message.startswith("the following arguments are required"):
            message += f".{self._perhaps(self._words)}"
        if "--json" in self._words and "--json" in self._option_string_actions:
            print_error("UsageError", message, 2)
        self.exit(2, f"{self.prog}: {message}\nAll options: {self.prog} -h\n")

    def _spelled(self, word: str) -> str:
        """Return an option with hyphens in the place of underscores, if it is one."""
        name, equals, value = word.partition("=")
        hyphens = name.replace("_", "-")
        known = self._option_string_actions
        if not name.startswith("--") or name in known or hyphens not in known:
            return word
        return f"{hyphens}{equals}{value}"

    def _perhaps(self, words: Sequence[str]) -> str:
        """Say what the first option that does not exist was perhaps meant to be."""
        every = self._option_string_actions
        names = [
            w.partition("=")[0] for w in words if w.startswith("--") and len(w) > 2
        ]
        unknown = [name for name in names if name not in every]
        if not unknown:
            return ""
        for group in SAME:
            same = [word for word in group if word in every]
            if same and unknown[0].replace("_", "-") in group:
                return f" Did you mean {same[0]!r}?"
        known = [word for action in self._actions for word in action.option_strings]
        return did_you_mean(unknown[0], known)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        there = [str(choice) for choice in action.choices]
        near = did_you_mean(str(value), there)
        raise argparse.ArgumentError(
            action, f"there is no {value!r}.{near} Choose from: {', '.join(there)}."
        )
