"""What ``--json`` prints: one JSON document on standard output, whatever happens.

It is the command's result or, if it fails, an object with the one key ``error``:
``kind`` (the class of the error, see `autoseg.errors`), ``message``, ``exit_code``, and
``failures`` (a message for each case that failed). What is said to people goes to
standard error.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from autoseg.errors import CaseErrors


def print_result(value: Any) -> None:
    """Print a command's result.

    Parameters
    ----------
    value : JSON value
        May also hold dataclasses, tuples and paths. Numbers that JSON does not have
        are written as in summary.json: null, "Infinity".
    """
    from autoseg.evaluate.numbers import plain
    from autoseg.spec.json import to_json

    print(json.dumps(plain(to_json(value)), default=_text), flush=True)


def print_error(
    kind: str, message: str, exit_code: int, error: BaseException | None = None
) -> None:
    """Print why a command has no result.

    Parameters
    ----------
    kind : str
        Class of the error.
    message : str
        What people read.
    exit_code : int
        With which the command ends. 0 is no failure, as of a part whose result another
        part makes: then the document says the message alone.
    error : exception, optional
        The error itself.
    """
    if exit_code == 0:
        print(json.dumps({"message": message}), flush=True)
        return
    said: dict[str, Any] = {
        "kind": kind,
        "message": message,
        "exit_code": exit_code,
    }
    if isinstance(error, CaseErrors):
        said["failures"] = {case: str(e) for case, e in error.failures.items()}
    print(json.dumps({"error": said}), flush=True)


def _text(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")
