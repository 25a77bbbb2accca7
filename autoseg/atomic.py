"""Write files so that they are either complete or not there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from autoseg.errors import FormatError

# What file systems answer that cannot reserve room.
UNABLE = (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS)
DAY = 86_400.0  # seconds: nobody writes one file for so long
# .NAME.PROCESS-MACHINE.tmp; without a machine where an earlier version wrote it.
TEMPORARY = re.compile(r"\.(?P<name>.+?)\.(?P<pid>\d+)(-(?P<host>\w+))?(\.\d+)?\.tmp")


@contextmanager
def atomically(path: Path) -> Iterator[Path]:
    """Give a path to write to; move what is there to ``path`` when all went well.

    The path has the same file name, in a temporary folder next to the file, so that
    libraries see the right ending and formats of several files (.mhd with .raw) work.
    What is written may be a folder, too.

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
        if not (folder / path.name).exists():
            raise FormatError(f"{path} was not written.")
        for extra in sorted(folder.iterdir()):
            if extra.name != path.name:
                os.replace(extra, path.parent / extra.name)
        # Folders are replaced by folders only, in two steps; never by a file.
        both = (folder / path.name).is_dir() and path.is_dir()
        if both and not path.is_symlink():
            os.replace(path, folder / f"{path.name}.before")
        os.replace(folder / path.name, path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def naming_full_disk(path: Path, size: int) -> Iterator[None]:
    """Raise that the disk is full where a library only says that it failed.

    Parameters
    ----------
    path : Path
        What is written.
    size : int
        Bytes that it may need at most.

    Raises
    ------
    OSError
        ``ENOSPC``, in place of a RuntimeError, if so much is not free.
    """
    try:
        yield
    except RuntimeError as error:
        if shutil.disk_usage(path.parent).free >= size:
            raise
        text = os.strerror(errno.ENOSPC)
        raise OSError(errno.ENOSPC, text, str(path)) from error


def reserve(file: int, size: int, path: Path | None = None) -> None:
    """Take the room of a file now: a disk that is full later ends the process.

    Parameters
    ----------
    file : int
        Descriptor of a file with holes, which is written through a memory map.
    size : int
        Bytes that it will have.
    path : Path, optional
        Its name, for the message.

    Raises
    ------
    OSError
        If there is no room. Where the file system cannot reserve any, nothing is done.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        code = error.errno or errno.EIO
        if code not in UNABLE:
            named = [str(path)] if path is not None else []
            raise OSError(code, os.strerror(code), *named) from None


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


def temporary_of(path: Path) -> Path:
    """Return where this process writes a file before it takes its place.

    The name says whose it is, so that what a killed process left can be told from what
    another is writing (`sweep_temporaries`).
    """
    return path.with_name(f".{path.name}.{os.getpid()}-{_machine()}.tmp")


def sweep_temporaries(
    folder: Path, names: Collection[str] | None = None, *, alone: bool = False
) -> None:
    """Remove what killed processes left of files that they wrote.

    Parameters
    ----------
    folder : Path
        Where; need not exist.
    names : collection of str, optional
        Of the files that are meant; None: all.
    alone : bool
        No other process writes into the folder: whatever is unfinished is removed.
        Otherwise only what a dead process of this machine has left, or what is older
        than a day.
    """
    for left in folder.glob(".*.tmp"):
        found = TEMPORARY.fullmatch(left.name)
        if found is None or (names is not None and found["name"] not in names):
            continue
        if alone or _is_left(left, int(found["pid"]), found["host"]):
            with contextlib.suppress(OSError):
                left.unlink()


def _is_left(path: Path, pid: int, host: str | None) -> bool:
    import psutil

    if host in (None, _machine()) and pid != os.getpid() and not psutil.pid_exists(pid):
        return True
    try:
        return time.time() - path.stat().st_mtime > DAY
    except FileNotFoundError:
        return False


def _machine() -> str:
    """Return a short word for this machine that does not tell its name."""
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
