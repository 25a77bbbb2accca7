"""What was understood of a folder, in words."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoseg.describing.contents import Contents
from autoseg.describing.pairs import TABLE, Found, ending_of, images_alone
from autoseg.errors import AutosegError, amount, some_of
from autoseg.formats.base import find_format
from autoseg.formats.header import remarks_of
from autoseg.spec.dataset import Dataset

WIDTH = 80
FEW = 3


@dataclass(frozen=True, kw_only=True)
class Understood:
    """What a folder was taken for.

    Parameters
    ----------
    folder : Path
        Where dataset.json was written.
    dataset : Dataset
        As it is read from there.
    found : Found
        Images with their annotations.
    contents : Contents
        What is in them, and the task with its reason.
    picture : Path or None
        Of three cases; None if none was wanted.
    """

    folder: Path
    dataset: Dataset
    found: Found
    contents: Contents
    picture: Path | None

    def __str__(self) -> str:
        return page(self)


def page(seen: Understood) -> str:
    """Return what was understood, for a terminal of 80 columns."""
    found, contents = seen.found, seen.contents
    cases = found.cases
    rows = [
        ("images", f"{_places([p for c in cases for p in c.images], seen.folder)}"),
        ("", _grid(seen)),
        ("channels", _channels(seen)),
        ("annotations", _annotations(seen)),
        ("task", f"{contents.task}: {contents.because}"),
    ]
    rows += [("odd header", doubt) for doubt in _doubts(seen)]
    keys = contents.keys
    if "landmarks" in keys:
        rows.append(("landmarks", some_of(keys["landmarks"], 12)))
    if "labels" in keys:
        said = [f"{name} = {value}" for name, value in keys["labels"].items()]
        rows.append(("labels", some_of(said, 12)))
    if keys.get("components"):
        rows.append(("", "each piece of a mask is an object"))
    groups = {case.group for case in cases if case.group}
    if groups:
        rows.append(("groups", f"{len(groups)}; cases of one are never split"))
    if found.test:
        place = _places(found.test, seen.folder)
        rows.append(("for testing", f"{place}, not trained on"))
    rows += _left(seen)
    lines = [f"{seen.dataset.name}: {amount(len(cases), 'case')}"]
    for head, text in rows:
        lines += textwrap.wrap(
            text,
            WIDTH,
            initial_indent=f"  {head:<12} ",
            subsequent_indent=" " * 15,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def _doubts(seen: Understood) -> list[str]:
    """Return what is odd about the headers of the first case, which may mislead."""
    first = seen.found.cases[0]
    drawn = () if first.annotation is None else (first.annotation,)
    found = []
    for path in (*first.images, *drawn):
        with suppress(AutosegError, OSError):  # of other kinds than images, too
            grid = find_format(path).geometry(path, None, None, 1)
            found += [f"{path.name}: {remark}" for remark in remarks_of(grid)]
    return found


def _places(paths: Sequence[Path], folder: Path) -> str:
    """Return how many files there are, and where."""
    inside = [Path(os.path.relpath(path, folder)) for path in paths]
    parents = sorted({str(path.parent) for path in inside})
    where = "here" if parents == ["."] else f"in {some_of(parents, FEW)}"
    return f"{amount(len(paths), 'file')} ({ending_of(paths)}) {where}"


def _grid(seen: Understood) -> str:
    """Return the sizes of the images, with the names of their axes."""
    shapes = [shape for shape in seen.contents.shapes]
    geometry = seen.contents.geometry
    axes = "z, y, x" if geometry.dim == 3 else "y, x"
    text = "of several numbers of axes"
    if len({len(shape) for shape in shapes}) == 1:
        sizes = np.array(shapes)
        low, high = sizes.min(axis=0), sizes.max(axis=0)
        text = " x ".join(
            f"{a}" if a == b else f"{a}-{b}" for a, b in zip(low, high, strict=True)
        )
        text = f"{text} voxels ({axes})"
    spacing = " x ".join(f"{value:.4g}" for value in geometry.spacing)
    if geometry.unit == "px":
        return f"{text}; the files do not say how large a pixel is"
    return f"{text}, {spacing} {geometry.unit} each in the first one"


def _channels(seen: Understood) -> str:
    why = seen.contents.channels_because
    return ", ".join(seen.contents.channels) + (f" ({why})" if why else "")


def _annotations(seen: Understood) -> str:
    paths = list(dict.fromkeys(c.annotation for c in seen.found.cases if c.annotation))
    if seen.found.kind == TABLE:
        return some_of([os.path.relpath(path, seen.folder) for path in paths], FEW)
    if paths[0].is_dir():
        names = [os.path.relpath(path, seen.folder) for path in paths]
        return f"{amount(len(paths), 'folder')} of masks: {some_of(names, FEW)}"
    return _places(paths, seen.folder)


def _left(seen: Understood) -> list[tuple[str, str]]:
    """Return what was left aside, so that nobody thinks it was used."""
    images = images_alone(seen.found)
    shown = [os.path.relpath(path, seen.folder) for path in seen.found.alone]
    if not shown:
        return []
    head = "left aside"
    drawn = {c.annotation.parent for c in seen.found.cases if c.annotation}
    drawn -= {path.parent for c in seen.found.cases for path in c.images}
    if all(path.parent in drawn for path in seen.found.alone):
        count = amount(len(shown), "annotation")
        return [(head, f"{count} without image: {some_of(shown, FEW)}")]
    if len(images) == len(shown) and not drawn.intersection(
        path.parent for path in seen.found.alone
    ):
        return [
            (
                head,
                f"{amount(len(shown), 'image')} without annotation: "
                f"{some_of(shown, FEW)}",
            )
        ]
    return [
        (
            head,
            f"{amount(len(shown), 'file')} that pair with none: {some_of(shown, FEW)}",
        )
    ]
