"""What autoseg wrote, told apart from what is the user's: nothing of hers is replaced.

A folder that predictions went to has a journal, ``autoseg_files.jsonl``: a line for
each file that was written, with its size, time and hash. Files of a kind that only
autoseg writes (bundles, pages, summaries) are known by what they hold. Every other file
is somebody's work, also a prediction that was corrected by hand since.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoseg.errors import UsageError, some_of

JOURNAL = "autoseg_files.jsonl"
FOLDERS = (".zarr",)  # images that are folders
SHOWN = 5  # files that a message names
MOST_BYTES = 64 << 20  # of a JSON or page that is looked into
BEHIND = {".mhd": (".raw", ".zraw")}  # files that another one is only the head of
KINDS = (  # keys that together only autoseg's JSON files have
    {"autoseg", "schema"},
    {"foreground", "classes", "cases", "missing", "without_annotation"},
    {"dataset", "by", "chosen", "models", "final"},
)
_lock = threading.Lock()

Stamp = Sequence[Any]


def companions(path: Path) -> list[Path]:
    """Return a file and those that hold its voxels, whether they are there or not.

    Examples
    --------
    >>> [p.name for p in companions(Path("a.mhd"))]
    ['a.mhd', 'a.raw', 'a.zraw']
    """
    return [path, *(path.with_suffix(s) for s in BEHIND.get(path.suffix.lower(), ()))]


def refuse_foreign(
    files: Iterable[Path],
    *,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
    option: str = "--overwrite",
) -> None:
    """Raise unless all files may be written.

    Parameters
    ----------
    files : iterable of Path
        What is going to be written.
    inputs : iterable of Path
        What it is made from, which is never replaced, also not by its other names.
    overwrite : bool
        The user insists: files that are not autoseg's may be replaced, inputs not.
    option : str
        How she says so, for the message.

    Raises
    ------
    UsageError
        Names the files that would be lost, or what is no folder and cannot become one,
        and what to do.
    """
    wanted = list(dict.fromkeys(files))
    there = [path for path in wanted if _is_there(path)]
    for folder in dict.fromkeys(path.parent for path in wanted if path not in there):
        must_be_folder(folder)
    folders = [path for path in wanted if path.is_dir() and not _is_folder(path)]
    if folders:
        raise UsageError(
            f"{some_of(folders, SHOWN)}: a folder, where a file is to be written. "
            "Nothing was done. Give the name of a file in it, or of another one."
        )
    identities = {identity for path in inputs for identity in _identities(path)}
    same = [path for path in there if identities.intersection(_identities(path))]
    if same:
        raise UsageError(
            f"{some_of(same, SHOWN)} would be replaced by what is made from it. "
            "Nothing was done. Give another folder or file name."
        )
    if overwrite:
        return
    journals: dict[Path, dict[str, Stamp | None]] = {}
    foreign = [path for path in there if not _is_ours(path, journals)]
    if foreign:
        raise UsageError(
            f"{some_of(foreign, SHOWN)}: there already, and not known to be written by "
            "autoseg (or changed since), so it is not replaced. Nothing was done. Give "
            f"another folder or file name, or {option} if it may be lost."
        )


def must_be_folder(folder: Path, *, written: bool = True) -> None:
    """Raise UsageError unless something is a folder, or can be made one.

    ``written``: for new files, so that it has to be allowed.
    """
    place = folder.absolute()
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    if place.is_dir():
        if not written or os.access(place, os.W_OK | os.X_OK):
            return
        found = f"{place} may not be written to"
    elif place.is_symlink():
        found = f"{place} is a link to {os.readlink(place)}, which does not exist"
    else:
        found = f"{place} is a file and no folder"
    raise UsageError(
        f"{found}, so nothing can be written to {folder}. Nothing was done. Give "
        "another folder."
    )


@contextmanager
def writing(files: Iterable[Path]) -> Iterator[None]:
    """Note in the journals of their folders that files are autoseg's.

    Inside ``with`` they are written. If the process is killed there, they still count
    as autoseg's; what was not written is none of its business.

    Parameters
    ----------
    files : iterable of Path
        Files that may be written.
    """
    before = {path: _stat(path) for path in files}
    _note((path, None) for path in before)
    try:
        yield
    finally:
        _note((path, _outcome(path, was)) for path, was in before.items())


def is_written(path: Path) -> bool:
    """Return whether an output is there: a file that is not empty, or a folder."""
    if path.suffix.lower() in FOLDERS:
        return path.is_dir() and any(path.iterdir())
    return path.is_file() and path.stat().st_size > 0


def _outcome(path: Path, before: list[int] | None) -> Stamp | bool | None:
    """Return what the journal says of a file that might have been written."""
    after = _stat(path)
    if after is None or not (path.is_file() or _is_folder(path)):
        return False
    if after != before:
        return _stamp(path)
    # It stayed as it was, and so does what was known of it.
    earlier = [s for s in _entries(path.parent, path.name) if s is not None]
    return earlier[-1] if earlier else False


def adopt(files: Iterable[Path]) -> None:
    """Note that files that are there count as autoseg's: the user said so."""
    there = (path for path in files if path.is_file() or _is_folder(path))
    _note((path, _stamp(path)) for path in there)


def is_ours(path: Path) -> bool:
    """Return whether autoseg wrote a file and nobody changed it since.

    Parameters
    ----------
    path : Path
        A file.

    Returns
    -------
    bool
        By the journal of its folder, or by what is in the file.
    """
    return _is_ours(path, {})


def _is_ours(path: Path, journals: dict[Path, dict[str, Stamp | None]]) -> bool:
    folder = path.parent
    if folder not in journals:
        journals[folder] = _read(folder)
    noted = journals[folder]
    if path.name in noted:
        stamp = noted[path.name]
        if stamp is None or _stat(path) == list(stamp[:2]):
            return True
        size, _, digest = stamp
        now = _stat(path)
        return bool(now and now[0] == size and _digest(path) == digest)
    look = MARKS.get(path.suffix.lower())
    try:
        return look is not None and look(path)
    except (OSError, ValueError, KeyError, RecursionError, zipfile.BadZipFile):
        return False  # of another kind, whatever it is


def _is_there(path: Path) -> bool:
    """Return whether writing would replace something.

    A folder is replaced only where an image is one.
    """
    if _is_folder(path):
        return True
    return os.path.lexists(path) and not (path.is_dir() and not path.is_symlink())


def _is_folder(path: Path) -> bool:
    return path.suffix.lower() in FOLDERS and path.is_dir()


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _identities(path: Path) -> list[Any]:
    """Return what two names of one file have in common."""
    found: list[Any] = [os.path.abspath(path)]
    try:
        status = path.stat()
    except OSError:
        return found
    return [*found, (status.st_dev, status.st_ino)]


def _note(stamps: Iterable[tuple[Path, Stamp | bool | None]]) -> None:
    """Write lines into the journals, each in one piece: other processes write too."""
    lines: dict[Path, list[str]] = {}
    for path, stamp in stamps:
        line = json.dumps({"file": path.name, "stamp": stamp})
        lines.setdefault(path.parent, []).append(line)
    for folder, of_folder in lines.items():
        if folder.is_dir() or any('"stamp": false' not in line for line in of_folder):
            folder.mkdir(parents=True, exist_ok=True)
            content = "".join(f"{line}\n" for line in of_folder).encode()
            with _lock, (folder / JOURNAL).open("ab", buffering=0) as file:
                file.write(content)


def _read(folder: Path) -> dict[str, Stamp | None]:
    """Return the stamps in a folder's journal, by file; the last line counts."""
    return {
        name: stamp
        for name, stamp in dict(_lines(folder)).items()
        if stamp is None or isinstance(stamp, list)
    }


def _entries(folder: Path, name: str) -> list[Any]:
    return [stamp for other, stamp in _lines(folder) if other == name]


def _lines(folder: Path) -> Iterator[tuple[str, Any]]:
    """Yield name and stamp of each line.

    A stamp is None for a file that is being written, False for one that was not.
    """
    try:
        text = (folder / JOURNAL).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            entry = json.loads(line)
            name, stamp = entry["file"], entry["stamp"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue  # a machine that lost its power in the middle of a line
        if isinstance(stamp, list) and len(stamp) != 3:
            stamp = False
        if isinstance(name, str):
            yield name, stamp


def _stat(path: Path) -> list[int] | None:
    try:
        status = [one.stat() for one in _parts_of(path)]
    except OSError:
        return None
    return [sum(s.st_size for s in status), max(s.st_mtime_ns for s in status)]


def _parts_of(path: Path) -> list[Path]:
    """Return a file, or a folder that is an image and all files in it."""
    return [path, *(_files_in(path) if _is_folder(path) else ())]


def _stamp(path: Path) -> Stamp:
    return [*(_stat(path) or ()), _digest(path)]


def _digest(path: Path) -> str:
    found = hashlib.blake2b(digest_size=16)
    for one in _files_in(path) if _is_folder(path) else [path]:
        if one != path:
            found.update(f"{one.relative_to(path).as_posix()}\0".encode())
        with one.open("rb") as file:
            while piece := file.read(1 << 20):
                found.update(piece)
    return found.hexdigest()


def _is_our_json(path: Path) -> bool:
    if path.stat().st_size > MOST_BYTES:
        return False
    content = json.loads(path.read_text(encoding="utf-8"))
    keys = set(content) if isinstance(content, dict) else set()
    return any(kind <= keys for kind in KINDS)


def _is_our_table(path: Path) -> bool:
    """Tables have no mark of their own; each was written with a JSON file."""
    with path.open(encoding="utf-8") as file:
        head = file.readline()
    if not head.startswith(("case,", "landmark,")):
        return False
    beside = (path.with_suffix(".json"), path.with_name("summary.json"))
    return any(other.is_file() and _is_our_json(other) for other in beside)


def _is_our_page(path: Path) -> bool:
    if path.stat().st_size > MOST_BYTES:
        return False
    text = path.read_text(encoding="utf-8")
    return "<footer>Made by autoseg" in text


def _is_our_bundle(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("manifest.json")
        if member.file_size > MOST_BYTES:
            return False
        content = json.loads(archive.read(member))
    return isinstance(content, dict) and content.get("kind") == "autoseg model"


MARKS: dict[str, Callable[[Path], bool]] = {
    ".json": _is_our_json,
    ".csv": _is_our_table,
    ".html": _is_our_page,
    ".zip": _is_our_bundle,
}
