"""Names of files that no library can be asked to open."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from autoseg.errors import DatasetError, printable, some_of

ANNOTATION = "_annotation"  # behind a case's id, in the name of a prepared file


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


def odd_ids(ids: Iterable[str]) -> tuple[str, str] | None:
    """Return that ids of cases cannot be names of files, None if all can.

    Parameters
    ----------
    ids : iterable of str
        Of the training cases; each becomes the name of prepared files.

    Returns
    -------
    tuple of str or None
        What was found, and what to do.
    """
    known = set(ids)
    odd = [i for i in sorted(known) if i != Path(i).name or i[:1] == "."]
    odd += [i for i in sorted(known) if i.removesuffix(ANNOTATION) in known - {i}]
    if not odd:
        return None
    return (
        f"Case ids become file names, which these cannot: {some_of(odd)}.",
        "Rename the cases, without slashes and leading dots and without "
        f"{ANNOTATION!r} behind another case's id.",
    )


def refuse_ids(ids: Iterable[str]) -> None:
    """Raise DatasetError if ids of cases cannot be names of files."""
    odd = odd_ids(ids)
    if odd is not None:
        raise DatasetError(" ".join(odd))


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
