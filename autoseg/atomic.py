"""Write files so that they are either complete or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from autoseg.errors import FormatError


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """Give a path to write to; move what is there to ``path`` when all went well.

    The path has the same file name, in a temporary folder next to the file, so that
    libraries see the right ending and formats of several files (.mhd with .raw) work.

    Parameters
    ----------
    path : Path
        The file to write. Its folder is made if need be.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    FormatError
        If nothing was written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        yield folder / path.name
        if not (folder / path.name).is_file():
            raise FormatError(f"{path} was not written.")
        for extra in sorted(folder.iterdir()):
            if extra.name != path.name:
                os.replace(extra, path.parent / extra.name)
        os.replace(folder / path.name, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(paths: Iterable[Path]) -> None:
    """Remove what runs that were killed left of these files.

    Parameters
    ----------
    paths : iterable of Path
        Files that `atomically` writes; no other process is writing them now.
    """
    names: dict[Path, set[str]] = {}
    for path in paths:
        names.setdefault(path.parent, set()).add(path.name)
    for folder, mine in names.items():
        # One look at each folder, however many files there are.
        for left in folder.glob(".*.*"):
            if left.is_dir() and left.name[1:].rpartition(".")[0] in mine:
                shutil.rmtree(left, ignore_errors=True)
