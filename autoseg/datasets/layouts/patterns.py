"""Cases by patterns of paths: one folder a patient, in any layout.

``"dataset": {"{patient}": {"images": ["{patient}/t1.nii.gz"], "label": ...}}``: what is
in braces is a piece of a path, and the same wherever its name comes again; ``*`` is
anything that is no ``/``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoseg.errors import DatasetError
from autoseg.spec.foreign.place import fitting

FIELD = re.compile(r"\{(\w+)\}")
PIECES = re.compile(r"(\{\w+\}|\*)")


def is_pattern(name: str) -> bool:
    """Return whether the name of a case stands for many."""
    return FIELD.search(name) is not None


def without_patterns(
    folder: Path, listed: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the entries of ``dataset``, and what is wrong with patterns among them."""
    found: dict[str, Any] = {}
    problems = []
    for name, entry in listed.items():
        try:
            fits = is_pattern(name)
            found |= cases_by_pattern(folder, name, entry) if fits else {name: entry}
        except DatasetError as error:
            problems.append(str(error))
    return found, problems


def cases_by_pattern(folder: Path, name: str, entry: Any) -> dict[str, Any]:
    """Return the entries of ``dataset`` that a pattern stands for.

    Parameters
    ----------
    folder : Path
        Of the data set; patterns are relative to it.
    name : str
        Of a case, such as ``"{patient}_{visit}"``.
    entry : JSON value
        ``images`` and ``label``, each a pattern.

    Returns
    -------
    dict
        By case, as `dataset` has them without patterns. A file that is missing has
        the path where it should be.

    Raises
    ------
    DatasetError
        If the first image fits nothing, says less than the name of a case needs, or
        another pattern fits several files.
    """
    given = entry if isinstance(entry, dict) else {}
    images, label = given.get("images"), given.get("label")
    images = [images] if isinstance(images, str) else images
    patterns = [*(images or []), label] if isinstance(images, list) else []
    if not patterns or not all(isinstance(p, str) for p in patterns):
        raise DatasetError(
            f'`dataset` has {name!r} without patterns; give {{"images": '
            '["{case}/image.nii.gz"], "label": "{case}/label.nii.gz"}'
        )
    unknown = set(FIELD.findall(" ".join([name, *patterns]))) - set(
        FIELD.findall(patterns[0])
    )
    if unknown:
        raise DatasetError(
            f"`dataset` has {name!r}, and its first image {patterns[0]!r} does not say "
            f"what {', '.join(sorted(unknown))} is"
        )
    found = {}
    for fields in _fitting(folder, patterns[0]):
        files = [_file(folder, pattern, fields) for pattern in patterns]
        found[_filled(name, fields)] = {"images": files[:-1], "label": files[-1]}
    if not found:
        raise DatasetError(f"`dataset` has {name!r}, and {patterns[0]!r} fits no file")
    return found


def _fitting(folder: Path, pattern: str) -> Sequence[Mapping[str, str]]:
    """Return what stands for the fields of a pattern, for each path that fits it."""
    seen: set[str] = set()
    parts = []
    for piece in PIECES.split(pattern):
        if match := FIELD.fullmatch(piece):
            again = match[1] in seen
            parts.append(f"(?P={match[1]})" if again else f"(?P<{match[1]}>[^/]+?)")
            seen.add(match[1])
        else:
            parts.append("[^/]*" if piece == "*" else re.escape(piece))
    shape = re.compile("".join(parts))
    found = []
    for path in fitting(folder, FIELD.sub("*", pattern)):
        match = shape.fullmatch(path.relative_to(folder).as_posix())
        if match:
            found.append(match.groupdict())
    return found


def _filled(pattern: str, fields: Mapping[str, str]) -> str:
    return FIELD.sub(lambda match: fields[match[1]], pattern)


def _file(folder: Path, pattern: str, fields: Mapping[str, str]) -> str:
    """Return the path of a file; with ``*`` the one that fits."""
    wanted = _filled(pattern, fields)
    if "*" not in wanted:
        return wanted
    there = sorted(p.relative_to(folder).as_posix() for p in folder.glob(wanted))
    if len(there) > 1:
        raise DatasetError(
            f"`dataset` has {pattern!r}, which fits {there[0]} and {there[1]}: say more"
        )
    return there[0] if there else wanted
