"""What to do next here: a bare ``autoseg`` looks at the folder it stands in."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

from autoseg.datasets.layouts.names import is_bids
from autoseg.formats.base import known_endings, match_ending
from autoseg.workspace import CHECKPOINT_FINAL, find_root

MOST = 5000  # files that are looked at, so that it answers at once
SHOWN = 3


def advice(here: Path | None = None) -> str:
    """Return what there is, and the commands that may follow.

    Parameters
    ----------
    here : Path, optional
        The folder; by default the one that the process stands in.

    Returns
    -------
    str
        Lines for a terminal.
    """
    place = here or Path.cwd()
    lines: list[str] = []
    for found in (_described(place), _trained(), _images(place)):
        if found and len(lines) < 2 * SHOWN:
            lines += found
    if not lines:
        lines = [
            "No images and no data set are here. See it work in a few minutes:",
            "  autoseg demo",
        ]
    return "\n".join([*lines, "", "All commands: autoseg --help"])


def _described(place: Path) -> list[str]:
    """Return what may be done with data sets here and below."""
    places = [place, *sorted(p for p in place.iterdir() if p.is_dir())]
    root = find_root(None)
    places += sorted((root / "raw").glob("*/"))
    lines: list[str] = []
    for folder in dict.fromkeys(p.absolute() for p in places):
        if len(lines) < 2 * SHOWN and _is_described(folder):
            page = root / "results" / folder.name / "report.html"
            name = shlex.quote(os.path.relpath(folder, place))
            if page.is_file():
                lines += [
                    f"{folder.name} has been trained: {os.path.relpath(page, place)}",
                    f"  autoseg run {name} --images NEW_IMAGES -o FOUND",
                ]
            else:
                lines += [f"{folder.name} is a data set:", f"  autoseg run {name}"]
    return lines


def _is_described(folder: Path) -> bool:
    if is_bids(folder):
        return True
    try:
        raw = json.loads((folder / "dataset.json").read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(raw, dict) and bool({"labels", "landmarks"} & raw.keys())


def _trained() -> list[str]:
    """Return how to predict with what was trained, where its data set is not here."""
    results = find_root(None) / "results"
    models = sorted(
        p.parent.parent for p in results.glob(f"*/*/*/fold_*/{CHECKPOINT_FINAL}")
    )
    there = [model for model in dict.fromkeys(models)][:1]
    return [
        line
        for model in there
        for line in (
            f"{model.parent.parent.name} has a model:",
            f"  autoseg predict -m {shlex.quote(os.path.relpath(model))} "
            "-i IMAGES -o FOUND",
        )
    ]


def _images(place: Path) -> list[str]:
    """Return how to begin with images that nobody has described."""
    if _is_described(place):
        return []
    own = find_root(None)
    folders: dict[Path, int] = {}
    looked = 0
    for folder, inner, files in os.walk(place):
        here = Path(folder)
        inner[:] = sorted(n for n in inner if n[0] != "." and here / n != own)
        if _is_described(here) or len(here.relative_to(place).parts) > SHOWN:
            inner.clear()
            continue
        looked += len(files)
        count = sum(match_ending(name, known_endings()) is not None for name in files)
        if count:
            top = here.relative_to(place).parts[:1]
            folders[place.joinpath(*top)] = folders.get(place.joinpath(*top), 0) + count
        if looked > MOST:
            break
    if not folders:
        return []
    one = next(iter(folders)) if len(folders) == 1 else place
    name = shlex.quote(os.path.relpath(one, place))
    count = sum(folders.values())
    return [
        f"{count} images without a description. If some of them are annotated:",
        f"  autoseg init {name}",
    ]
