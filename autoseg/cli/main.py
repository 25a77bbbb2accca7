"""The command ``autoseg``: find the command's file, read its arguments, run it.

One file in this folder is one command. Its docstring is the help text, whose first line
stands in ``autoseg --help``; ``add_arguments(parser)`` declares the arguments and
``run(arguments)`` does the work and may return an exit code. Only the chosen command's
file is imported. Other packages add commands by the entry point group
``autoseg.command``, each naming a module with the same three things.

Exit codes: 0 done; 1 some cases failed, or a bug (with a traceback); 2 something that
was given is wrong; 130 stopped by Ctrl-C, `kill`, or a terminal that went away (but 0
of `train` that was stopped by SIGTERM or SIGUSR1, after its checkpoint).
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autoseg import __version__
from autoseg.cli import COMMANDS
from autoseg.cli._help import table
from autoseg.cli._json import print_error, print_result
from autoseg.cli._parser import make_parser as make_parser
from autoseg.cli._stages import recorded
from autoseg.errors import (
    AutosegError,
    PluginError,
    UsageError,
    did_you_mean,
    of_machine,
    printable,
)
from autoseg.namesake import namesake
from autoseg.progress import Progress
from autoseg.stopping import answering, interrupt

INTERRUPTED = 130  # 128 + SIGINT, as shells count
# OpenMP threads that spin while they wait take the cores from everybody else on a busy
# machine, and from each other: ten times slower in the worst case that was measured.
QUIET_THREADS = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
    "GOMP_SPINCOUNT": "0",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        What stands behind ``autoseg``; by default this process's arguments.

    Returns
    -------
    int
        The exit code, see the head of this file.
    """
    for name, value in QUIET_THREADS.items():
        os.environ.setdefault(name, value)
    _open_streams()
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = argparse.Namespace(verbose=False, json="--json" in given)
    try:
        if given[:1] == ["help"]:
            given = [*given[1:2], "--help"]
        if not given:
            from autoseg.cli._next import advice

            print(printable(advice()))
            return 0
        if given[0].startswith("-"):
            return _without_command(given)
        name = given[0].replace("-", "_")
        command = load_command(name)
        arguments = make_parser(name, command).parse_args(given[1:])
        start_logging(arguments.verbose, arguments.quiet)
        as_json = getattr(arguments, "json", False) and hasattr(command, "RESULT")
        plain: Any = _Plain(sys.stderr if as_json else sys.stdout)
        with answering(interrupt), contextlib.redirect_stdout(plain):
            with recorded(name, arguments):
                code = int(command.run(arguments) or 0)
        if as_json:
            print_result(arguments.result)
        sys.stdout.flush()  # here, where a broken pipe is understood
        return code
    except KeyboardInterrupt:
        text = "stopped; nothing is lost: the same command goes on from here."
        _fail(arguments, "Stopped", text, INTERRUPTED)
        return _leave(INTERRUPTED)
    except AutosegError as error:
        if arguments.verbose:
            traceback.print_exc()
        _fail(arguments, type(error).__name__, str(error), error.exit_code, error)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except Exception as error:
        text, code = _unexpected(error)
        _fail(arguments, type(error).__name__, text, code)
        return code


def commands() -> tuple[str, ...]:
    """Return the names of all commands, sorted, without importing any."""
    return COMMANDS.names()


def load_command(name: str) -> Any:
    """Import one command's module.

    Parameters
    ----------
    name : str
        The command, which is the name of its file.

    Returns
    -------
    module
        With ``add_arguments`` and ``run``.

    Raises
    ------
    UsageError
        If there is no such command; the message says what there is.
    PluginError
        If the file lacks one of the functions.
    """
    names = commands()
    if name not in names:
        hint = did_you_mean(name, names)
        raise UsageError(
            f"there is no command {name!r}.{hint} There are: {', '.join(names)}."
        )
    command = COMMANDS[name]
    missing = [n for n in ("add_arguments", "run") if not hasattr(command, n)]
    if missing:
        raise PluginError(
            f"the command {name!r} ({command.__name__}) has no "
            f"{' and no '.join(missing)}; see docs/extending.md."
        )
    return command


def start_logging(verbose: bool = False, quiet: bool = False) -> None:
    """Send what autoseg has to say to standard error, line by line."""
    Progress.shown = not quiet
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logger = logging.getLogger("autoseg")
    logger.handlers[:] = [handler]
    level = logging.WARNING if quiet else logging.INFO
    logger.setLevel(logging.DEBUG if verbose else level)
    logger.propagate = False
    # Of libraries: a path in their source says nothing to users.
    warnings.showwarning = lambda message, *_, **__: logger.debug("%s", message)


class _Lines(logging.Formatter):
    """Plain lines; warnings and errors say that they are."""

    def format(self, record: logging.LogRecord) -> str:
        text = printable(super().format(record))
        if record.levelno < logging.WARNING:
            return text
        return f"{record.levelname.lower()}: {text}"


def _without_command(given: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="autoseg",
        usage="autoseg [-h] [--version] COMMAND ...",
        description="Self-configuring segmentation, instances and landmarks, "
        "in 2-D and 3-D.",
        epilog=table(commands() if {"-h", "--help"} & set(given) else (), summary),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--print-completion",
        metavar="SHELL",
        help="print what bash, zsh or tcsh completes commands with",
    )
    shell = parser.parse_args(given).print_completion
    if shell is not None:
        from autoseg.cli._completion import script

        known = {n: (summary(n), make_parser(n, load_command(n))) for n in commands()}
        print(script(shell, known))
        return 0
    parser.error(
        "which command? `autoseg --help` lists them, "
        "`autoseg demo` shows all of it at work."
    )


def summary(name: str) -> str:
    """Return the first line of a command's docstring, read without importing it."""
    path = Path(__file__).with_name(f"{name}.py")
    if not path.is_file():
        return f"(from {COMMANDS.origin(name)})"
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


def _leave(code: int) -> int:
    """Return the exit code, or leave at once if threads are still in work.

    Python would wait for them. Whatever they write is complete or not there.
    """
    others = [t for t in threading.enumerate() if t is not threading.current_thread()]
    if any(t.is_alive() and not t.daemon for t in others):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _unexpected(error: Exception) -> tuple[str, int]:
    """Return what is said of an error that nobody foresaw, and the exit code."""
    if (found := of_machine(error)) is not None:
        text = "What is finished is kept; the same command goes on from there."
        return f"{found}. {text}", 2
    if isinstance(error, ImportError) and (other := namesake(error)):
        return other, 2
    traceback.print_exc()
    if isinstance(error, MemoryError):
        return "out of memory. Try --workers 1; what is finished is kept.", 1
    text = f"a bug in autoseg {__version__}, or in something it uses; see above."
    return text, 1


def _fail(
    arguments: argparse.Namespace,
    kind: str,
    text: str,
    code: int,
    error: AutosegError | None = None,
) -> None:
    """Say what went wrong, to people and to programs."""
    print(f"autoseg: {printable(text)}", file=sys.stderr)
    if getattr(arguments, "json", False):
        print_error(kind, text, code, error)


class _Plain:
    """Standard output for names of any kind: escapes are spelled out.

    Labels, landmarks and channels may be called anything.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text that changes nothing on a terminal."""
        self._stream.write(printable(text))
        return len(text)


def _open_streams() -> None:
    """Give services and programs without a window something to write to.

    Where a stream is closed, Python has None, and the next file that is opened would
    get its number.
    """
    for number, name, mode in (
        (0, "stdin", "r"),
        (1, "stdout", "w"),
        (2, "stderr", "w"),
    ):
        if getattr(sys, name) is None:
            where: int | str = os.devnull  # the number may be another file's by now
            try:
                os.fstat(number)
            except OSError:
                where = os.open(os.devnull, os.O_RDWR)  # takes the lowest that is free
            own = isinstance(where, str)
            setattr(sys, name, open(where, mode, encoding="utf-8", closefd=own))
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is spelled out, and no error.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
