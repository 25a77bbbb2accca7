"""napari's reader: what opens a file; imports nothing before it has to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Reader = Callable[[Any], list[tuple[Any, dict[str, Any], str]]]


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Return a function that opens a path as layers, None if autoseg does not.

    Parameters
    ----------
    path : str or sequence of str
        A file, or files that are opened one after the other.
    """
    from autoseg.formats.base import known_endings, match_ending

    paths = [path] if isinstance(path, str) else list(path)
    if not all(match_ending(str(one), known_endings()) for one in paths):
        return None

    def read(_: Any) -> list[tuple[Any, dict[str, Any], str]]:
        from pathlib import Path

        from autoseg.viewer.layers import opened

        return [layer for one in paths for layer in opened(Path(one))]

    return read
