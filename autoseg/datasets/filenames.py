"""Names of files that no library can be asked to open."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from autoseg.errors import DatasetError, printable, some_of


def refuse_names(folder: Path, names: Iterable[str]) -> None:
    """Raise DatasetError if names cannot be given to the libraries that read files.

    Some of them end the whole process at a name that is no text. No file is opened.

    Parameters
    ----------
    folder : Path
        Where the files are, for the message.
    names : iterable of str
        Of files, or of cases.
    """
    bad = [
        name
        for name in names
        if "\0" in name or printable(name) != name or "\n" in name or "\t" in name
    ]
    if bad:
        shown = some_of([ascii(name) for name in bad])
        raise DatasetError(
            f"{folder} has names that are no printable text: {shown}. "
            f"{_cure_of_names(bad)}"
        )


def _cure_of_names(names: Iterable[str]) -> str:
    """Return what to do: names may be right, and the locale's encoding not theirs."""
    try:
        texts = [os.fsencode(name).decode("utf-8") for name in names]
    except UnicodeError:
        return "Rename them."
    if any("\0" in text or printable(text) != text for text in texts):
        return "Rename them."
    return (
        "They are UTF-8, and here Python takes names for "
        f"{sys.getfilesystemencoding()}: set PYTHONUTF8=1, or LC_ALL=C.UTF-8."
    )
