"""JSON that other programs wrote."""

from __future__ import annotations

import functools
import json
from collections import Counter
from pathlib import Path
from typing import Any

from autoseg.errors import FormatError


def load_json(path: Path) -> Any:
    """Return what a JSON file holds; NaN is taken, as many tools write it.

    Parameters
    ----------
    path : Path
        The file. What was read last is kept until the file changes, for whoever asks
        what kind it is will read it: leave it as it is.

    Returns
    -------
    JSON value
        Its content.

    Raises
    ------
    FormatError
        If it is no JSON, or has a key twice; without the path.
    UnicodeDecodeError, OSError
        If it is no text in UTF-8, or cannot be read.
    """
    status = path.stat()
    return _loaded(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=2)
def _loaded(path: Path, *_: int) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        raise FormatError(
            f"no JSON: {error.msg} in line {error.lineno}, column {error.colno}."
        ) from None
    except UnicodeDecodeError:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise FormatError(f"no JSON: {error}.") from None
    except RecursionError:
        raise FormatError("no JSON of use: its brackets are too deep.") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object, unless a key comes twice: the first would be lost silently."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise FormatError(f"it has {twice!r} twice. Leave one.")
    return found


def keys_of(path: Path) -> set[str]:
    """Return the keys of the object that a JSON file holds; none if it is none."""
    try:
        raw = load_json(path)
    except (FormatError, ValueError, OSError):
        return set()
    return set(raw) if isinstance(raw, dict) else set()


def doubled_keys(path: Path) -> list[str]:
    """Return the keys that an object of a JSON file has more than once.

    Parameters
    ----------
    path : Path
        JSON in UTF-8.
    """
    found: list[str] = []

    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) < len(pairs):
            counts = Counter(key for key, _ in pairs)
            found.extend(key for key, count in counts.items() if count > 1)
        return made

    json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=keep)
    return found
