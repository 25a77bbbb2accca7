"""YOLO's text for segmentation: a class and the corners of a polygon in each row."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from autoseg.errors import FormatError
from autoseg.instancefiles.readers import INSTANCEFILES
from autoseg.instancefiles.readers._kind import (
    Content,
    Drawn,
    InstanceFile,
    Picture,
    Places,
)
from autoseg.instancefiles.readers._shapes import ring_places

DESCRIPTIONS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
LISTS = ("classes.txt", "obj.names")
BOX = 5  # cells of a row that gives a box
LEAST = 7  # of one that gives three corners
BEYOND = 0.01  # of the picture's size: what lies farther outside is no fraction


@INSTANCEFILES.register
class YoloObjects(InstanceFile):
    """``0 0.5 0.1 0.6 0.2 0.4 0.2``: fractions of the picture's width and height.

    ``0 0.5 0.3 0.2 0.4``, a box by its middle, width and height, marks an object (see
    `Drawn.mark`). An empty file is a picture without objects. Names of the classes are
    in ``data.yaml`` or ``classes.txt``, beside the file or in the folder above; without
    them, the classes are those of `labels` of dataset.json in order.
    """

    endings: ClassVar[tuple[str, ...]] = (".txt",)

    def claims(self, path: Path) -> bool:
        try:
            rows = _rows(path)
        except (OSError, UnicodeDecodeError):
            return False
        return all(row[0].isdecimal() and len(row) >= BOX for row in rows)

    def beside(self, path: Path) -> list[Path]:
        described = _description(path)
        return [] if described is None else [described]

    def parse(self, path: Path) -> Content:
        described = _description(path)
        if described is not None and described.name in DESCRIPTIONS:
            _must_be_outlines(described)
        objects = []
        for number, row in enumerate(_rows(path), 1):
            try:
                corners = [float(cell) for cell in row[1:]]
            except ValueError:
                corners = []
            box = len(row) == BOX and len(corners) == BOX - 1
            fits = box or (len(corners) + 1 >= LEAST and not len(corners) % 2)
            if not row[0].isdecimal() or not fits:
                raise FormatError(
                    f"row {number} must be the number of a class, and x and y of three "
                    "corners or more."
                )
            objects.append(
                Drawn(
                    name=f"row {number}",
                    draw=functools.partial(_box if box else _places, corners),
                    kind=int(row[0]),
                    mark="box" if box else "",
                )
            )
        names = dict(enumerate(_names(path)))
        picture = Picture(case=None, objects=objects, kinds=names, in_order=not names)
        return Content(pictures=[picture])


def _rows(path: Path) -> list[list[str]]:
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [line.split() for line in lines if line.strip()]


def _places(corners: Sequence[float], shape: tuple[int, int]) -> Places:
    fractions = np.reshape(corners, (-1, 2))
    if not (np.abs(fractions - 0.5) <= 0.5 + BEYOND).all():
        raise ValueError("its corners are no fractions of the picture, 0 to 1")
    return ring_places(fractions * (shape[1], shape[0]), shape)


def _box(numbers: Sequence[float], shape: tuple[int, int]) -> Places:
    """Return the pixels of a box, given by its middle, width and height."""
    x, y, width, height = numbers
    left, right = x - width / 2, x + width / 2
    top, bottom = y - height / 2, y + height / 2
    return _places([left, top, right, top, right, bottom, left, bottom], shape)


def _description(path: Path) -> Path | None:
    """Return the file that names the classes, beside a file or above it."""
    for folder in list(path.absolute().parents)[:2]:
        for name in (*DESCRIPTIONS, *LISTS):
            if (folder / name).is_file():
                return folder / name
    return None


def _must_be_outlines(described: Path) -> None:
    """Refuse rows of a pose, whose numbers would pass for the corners of a polygon."""
    text = described.read_text(encoding="utf-8-sig")
    if re.search(r"^kpt_shape\s*:", text, re.MULTILINE):
        raise FormatError(
            f"{described.name} says `kpt_shape`: its rows are a box and keypoints, and "
            "no outlines. For landmarks, export COCO's keypoints; for objects, export "
            "the segmentation."
        )


def _names(path: Path) -> list[str]:
    """Return the names of classes in order; none if nothing says them."""
    described = _description(path)
    if described is None:
        return []
    if described.name in DESCRIPTIONS:
        return _listed(described)
    lines = described.read_text(encoding="utf-8-sig").splitlines()
    return [line.strip() for line in lines if line.strip()]


def _listed(path: Path) -> list[str]:
    """Return ``names`` of a YAML file: in brackets, in braces, or a row for each."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    lines = [re.sub(r"(^|\s)#.*", "", line).rstrip() for line in lines]
    start = next((i for i, line in enumerate(lines) if line.startswith("names:")), None)
    if start is None:
        return []
    inner = lines[start].removeprefix("names:").strip()
    rest = lines[start + 1 :]
    if inner:
        text = " ".join([inner, *rest])
        closing = {"[": "]", "{": "}"}.get(inner[0])
        if closing is None or closing not in text:
            raise FormatError(f"`names` in {path.name} is {inner!r}; list the names.")
        entries = text[1 : text.index(closing)].split(",")
    else:
        entries = []
        for line in rest:
            if line and not line[0].isspace() and not line.startswith("-"):
                break
            entries.append(line.strip().removeprefix("-"))
    return _in_order([entry.strip() for entry in entries if entry.strip()], path)


def _in_order(entries: Sequence[str], path: Path) -> list[str]:
    """Return names, which may have numbers in front."""
    split = [re.fullmatch(r"(\d+)\s*:\s*(.+)", entry) for entry in entries]
    if not any(split):
        return [_bare(entry) for entry in entries]
    table = {int(match[1]): _bare(match[2]) for match in split if match}
    if None in split or set(table) != set(range(len(table))):
        raise FormatError(f"`names` in {path.name} must number the classes from 0.")
    return [table[number] for number in sorted(table)]


def _bare(text: str) -> str:
    return text.strip().strip("\"'")
