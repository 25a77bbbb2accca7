"""Which data a case is made of: the content of all its files, and where they lie.

A file is the same if size and time are; where these differ, its hash decides, so that a
folder that was moved or copied is still known. What is known of a data set stands in
``fingerprint.sources.json``.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoseg.datasets.instance_files import files_of
from autoseg.errors import DatasetError, some_of
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.behind import whole_files_at
from autoseg.spec.foreign.place import is_there as is_at
from autoseg.spec.json import dumps, write_text
from autoseg.workspace import Workspace, stamps_of

LENGTH = 16  # letters of a hash

log = logging.getLogger(__name__)
_hashes: dict[tuple[str, int, int], str] = {}
_lock = threading.Lock()


def all_files(case: Case) -> list[Path]:
    """Return every file that says something about a case.

    Parameters
    ----------
    case : Case
        With its images and its annotation, which may be a folder.

    Returns
    -------
    list of Path
        Those of `files_of`, all slices of what is a folder, and the voxels behind
        headers (.raw of .mhd).
    """
    return whole_files_at(files_of(case))


def quick_stamp(case: Case) -> str:
    """Return what changes with the size or time of any file of a case."""
    return short_hash(json.dumps(case_stamps(case)))


def content_of(case: Case) -> str:
    """Return what changes with the content of any file of a case.

    Parameters
    ----------
    case : Case
        Its files are read, once in a process as long as they stay as they are.

    Returns
    -------
    str
        A short hash of names and contents, and of which classes are annotated; not of
        folders or times.
    """
    parts = [[path.name, _hash(path)] for path in all_files(case) if path.is_file()]
    return short_hash(json.dumps([*parts, *_said(case)]))


def case_stamps(case: Case) -> list[Any]:
    """Return what changes when anything that a case is made of may have changed.

    Parameters
    ----------
    case : Case
        With its files.

    Returns
    -------
    list
        JSON values: see `autoseg.workspace.stamps_of`, and which classes are annotated.
    """
    return [*stamps_of(all_files(case)), *_said(case)]


def _said(case: Case) -> list[list[str]]:
    """Return what dataset.json says of a case's annotation; nothing is the rule."""
    return [] if case.annotated is None else [["annotated", *case.annotated]]


def _hash(path: Path) -> str:
    status = path.stat()
    key = (str(path), status.st_size, status.st_mtime_ns)
    with _lock:
        if key in _hashes:
            return _hashes[key]
    found = hashlib.blake2b(digest_size=LENGTH)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    with _lock:
        _hashes[key] = found.hexdigest()
    return _hashes[key]


def short_hash(text: str) -> str:
    """Return the first letters of a text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


class Sources:
    """What is written down about the files of a data set's cases.

    Parameters
    ----------
    workspace : Workspace
        Of the data set.

    Attributes
    ----------
    entries : dict
        By case: ``stamp`` (what is measured, with sizes and times), ``settings``,
        ``quick`` and ``content``. Of versions before, a text: the stamp alone.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._path = workspace.fingerprint_sources
        self.entries: dict[str, Any] = _read(self._path) or {}

    def save(self, entries: Mapping[str, Any]) -> None:
        """Write down all cases anew."""
        write_text(self._path, dumps(entries))

    def unknown(self, cases: Sequence[Case]) -> list[Case]:
        """Return the cases whose content is not known by size and time of the files."""

        def is_known(case: Case) -> bool:
            entry = self.entries.get(case.id)
            return isinstance(entry, dict) and entry.get("quick") == quick_stamp(case)

        return [case for case in cases if is_there(case) and not is_known(case)]

    def content(self, case: Case) -> str:
        """Return a case's content, read again only if size or time of a file differ."""
        known = self.entries.get(case.id)
        if isinstance(known, dict) and known.get("quick") == quick_stamp(case):
            return str(known.get("content"))
        return content_of(case)


def changed_cases(
    trained: Mapping[str, str], dataset: Dataset, workspace: Workspace
) -> list[str]:
    """Return cases whose files are not those that a fold was trained on.

    Parameters
    ----------
    trained : mapping of str to str
        Content by case, as in run.json.
    dataset : Dataset
        As it is now.
    workspace : Workspace
        Of the data set.

    Returns
    -------
    list of str
        Sorted ids; also of cases that are gone. Nothing is known of trainings by
        versions that did not write it down.
    """
    sources = Sources(workspace)
    now = {case.id: case for case in dataset.training}
    return sorted(
        case_id
        for case_id, content in trained.items()
        if case_id not in now
        or (is_there(now[case_id]) and sources.content(now[case_id]) != content)
    )


def is_there(case: Case) -> bool:
    """Return whether images and annotation of a case can be looked at."""
    files = [*case.images, *([case.annotation] if case.annotation else [])]
    return all(map(is_at, files))


def check_origin(dataset: Dataset, workspace: Workspace) -> None:
    """Raise if the workspace belongs to another data set of the same name.

    Parameters
    ----------
    dataset : Dataset
        What is at hand.
    workspace : Workspace
        Where results of a data set of its name are, or will be.

    Raises
    ------
    DatasetError
        If what was measured there is of another folder, and of other files. A folder
        that was moved or copied is the same data set.
    """
    here, there = dataset.folder, lies_elsewhere(dataset.folder, workspace)
    if there is None:
        return
    different = _differences(dataset, workspace, there)
    if different:
        raise DatasetError(
            f"{workspace.preprocessed} belongs to a data set of the same name in "
            f"{there}, and {here} is another one; {some_of(different)} differ. Nothing "
            "was changed. Rename the folder, or give another --root. If it is the same "
            f"one after all, moved and changed since, delete {workspace.origin}."
        )
    log.info("%s lies in %s now, as it was in %s.", dataset.name, here, there)
    remember_origin(dataset, workspace)


def lies_elsewhere(folder: Path, workspace: Workspace) -> Path | None:
    """Return where a workspace's data set lies, if that is known and not ``folder``."""
    known = (_read(workspace.origin) or {}).get("folder")
    if not isinstance(known, str):
        return None
    there = Path(os.path.join(workspace.root, known))
    same = there == folder or (there.is_dir() and os.path.samefile(there, folder))
    return None if same else there


def remember_origin(dataset: Dataset, workspace: Workspace) -> None:
    """Write down which folder the workspace belongs to, relative to ROOT in it."""
    folder, root = dataset.folder, workspace.root
    inside = folder.is_relative_to(root)
    known = {
        "folder": str(folder.relative_to(root) if inside else folder),
        "description": short_hash(json.dumps(dict(dataset.raw), sort_keys=True)),
    }
    if _read(workspace.origin) != known:
        write_text(workspace.origin, dumps(known))


def _differences(dataset: Dataset, workspace: Workspace, there: Path) -> list[str]:
    """Return what differs from what was measured: dataset.json, or cases."""
    described = short_hash(json.dumps(dict(dataset.raw), sort_keys=True))
    origin = _read(workspace.origin) or {}
    found = [] if origin.get("description") == described else ["dataset.json"]
    cases = {case.id: case for case in dataset.training}
    entries = Sources(workspace).entries
    if not entries and there.is_dir():  # nothing is known but the place
        found.append("their folders")
    for case_id, entry in entries.items():
        known = entry.get("content") if isinstance(entry, dict) else None
        if case_id not in cases or content_of(cases[case_id]) != known:
            found.append(case_id)
    return found


def _read(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, or None where there is no readable one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
