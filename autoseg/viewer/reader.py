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
    paths = [path] if isinstance(path, str) else list(path)
    if not all(_is_ours(one) for one in paths):
        return None

    def read(_: Any) -> list[tuple[Any, dict[str, Any], str]]:
        from pathlib import Path

        from autoseg.viewer.layers import opened

        return [layer for one in paths for layer in opened(Path(one))]

    return read


def _is_ours(path: str) -> bool:
    """Return whether a file is an image, or has points of one case."""
    from autoseg.errors import AutosegError
    from autoseg.formats.base import known_endings, match_ending
    from autoseg.pointfiles.base import names_in, point_endings

    if match_ending(path, known_endings()):
        return True
    if not match_ending(path.lower(), point_endings()):
        return False
    from pathlib import Path

    try:
        return bool(names_in(Path(path)))
    except AutosegError:
        return False
