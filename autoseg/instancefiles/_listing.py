"""A JSON object with one very long list, written entry by entry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from autoseg.atomic import atomically


def write_listing(
    path: Path, head: Mapping[str, Any], name: str, entries: Iterable[Any]
) -> None:
    """Write a JSON object whose last value is a list, without having all of it.

    Parameters
    ----------
    path : Path
        The file, written atomically.
    head : mapping
        What stands before the list: JSON values.
    name : str
        Key of the list.
    entries : iterable
        JSON values, each on a line of its own.
    """
    with atomically(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("{\n")
        for key, value in head.items():
            text = json.dumps(value, ensure_ascii=False)
            file.write(f"  {json.dumps(key)}: {text},\n")
        file.write(f"  {json.dumps(name)}: [")
        for number, entry in enumerate(entries):
            file.write(",\n    " if number else "\n    ")
            file.write(json.dumps(entry, ensure_ascii=False))
        file.write("\n  ]\n}\n")
