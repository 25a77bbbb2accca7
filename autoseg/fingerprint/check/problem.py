"""One thing that is wrong, or odd, with a data set."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autoseg.errors import AutosegError, amount, of_machine
from autoseg.spec.foreign.place import may_be_read
from autoseg.spec.shown.html import html_table

ADVICE = tuple(  # how sentences begin that say what to do
    f"{verb} "
    for verb in (
        *("Add", "Annotate", "Ask", "Call", "Change", "Choose", "Convert", "Copy"),
        *("Correct", "Decide", "Delete", "Draw", "Export", "Get", "Give", "Install"),
        *("Leave", "Look", "Make", "Mend", "Move", "Name", "Open", "Put", "Remove"),
        *(
            "Rename",
            "Replace",
            "Resample",
            "Run",
            "Save",
            "Say",
            "Set",
            "Start",
            "Take",
        ),
        *("Train", "Try", "Unpack", "Use", "Write"),
    )
)

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or odd, with a data set.

    Parameters
    ----------
    severity : {"error", "warning", "note"}
        With an error, training or prediction would fail; with a warning they would run,
        and the result may be poor; a note is good to know.
    file : Path
        Where it is.
    found : str
        What was found, a sentence.
    fix : str
        What to do, a sentence.
    case : str
        Which case, where the file has several.
    """

    severity: Severity
    file: Path
    found: str
    fix: str = ""
    case: str = ""


class Problems(list[Problem]):
    """A list of problems that notebooks show as a table."""

    def _repr_html_(self) -> str:
        rows = [(p.severity, p.case or p.file.name, p.found, p.fix) for p in self]
        count = amount(len(self), "problem") if self else "no problem"
        return html_table(count, ("severity", "where", "what", "what to do"), rows)


def problem_of(error: Exception, file: Path) -> Problem:
    """Return an exception as a problem, with what to do as its fix.

    That begins with the first sentence that tells to do something; else it is the last.

    Parameters
    ----------
    error : Exception
        With a message as those of autoseg.errors are.
    file : Path
        Where it is; taken from the front of the message.

    Returns
    -------
    Problem
        An error.
    """
    text = str(error).strip() or type(error).__name__
    text = text.replace(f"{file}/", "")  # of a file inside a folder, its name
    named = text.startswith(f"{file} ")  # as a subject: "... is cut off"
    text = text.removeprefix(f"{file}:").removeprefix(str(file)).strip()
    text = f"It {text}" if named and text[:1].islower() else text
    told = re.split(r"(?<=\.)\s+(?=[A-Z])", text)
    advice = [n for n, sentence in enumerate(told) if sentence.startswith(ADVICE)]
    first = next((n for n in advice if n > 0), max(1, len(told) - 1))
    return Problem("error", file, " ".join(told[:first]), " ".join(told[first:]))


def unreadable(error: Exception, path: Path) -> Problem:
    """Return what reading a file raised as a problem.

    Parameters
    ----------
    error : Exception
        Whatever a library raises on a broken file, or our own.
    path : Path
        The file.

    Returns
    -------
    Problem
        An error.
    """
    if isinstance(error, AutosegError):
        return problem_of(error, path)
    if isinstance(error, IsADirectoryError):
        fix = "Put the file that lies in it into its place."
        return Problem("error", path, "It is a folder, and not a file.", fix)
    if said := of_machine(error):
        return Problem("error", path, "It cannot be read.", f"{said}.")
    return Problem(
        "error",
        path,
        f"It cannot be read ({type(error).__name__}: {error}).",
        "Get or write it again.",
    )


def denied(path: Path) -> Problem:
    """Return that a file or a folder may not be read."""
    found = "It may not be read: permission denied."
    return Problem("error", path, found, "Change its permissions, or ask its owner.")


def all_denied(folder: Path, rest: str) -> list[Problem]:
    """Return which files and folders below one may not be read; hidden ones are none.

    Parameters
    ----------
    folder : Path
        A data set's, of which not all can be looked at.
    rest : str
        What was not looked at, a sentence.

    Returns
    -------
    list of Problem
        An error each, and a note.
    """
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        if not may_be_read(Path(place)):  # it is told where it lies; may have names
            folders.clear()
            continue
        inside = [Path(place) / name for name in (*folders, *sorted(names))]
        found += [p for p in inside if p.exists() and not may_be_read(p)]
    return [
        *map(denied, found),
        Problem("note", folder, rest, "Check again after that."),
    ]
