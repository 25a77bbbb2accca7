"""Choose the stack that somebody means, or say which there are.

A series is named by its UID, its number, its description, a pattern of that
(``*t1*``), or a part of it, in this order; ``@2`` behind it is its second stack.
"""

from __future__ import annotations

import fnmatch
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from autoseg.dicom.headers import Header, read_headers
from autoseg.dicom.series import Stack, stacks_of
from autoseg.errors import FormatError
from autoseg.spec.foreign.archive import Archive
from autoseg.spec.foreign.place import files_at, place_of
from autoseg.workspace import stamps_of

PART = re.compile(r"(.*)@(\d+)")
SHOWN = 30  # series that a message lists
_KEPT = 32  # places whose headers are remembered
_lock = threading.Lock()
_known: dict[str, tuple[object, list[Header]]] = {}


def headers_at(path: Path) -> list[Header]:
    """Return the headers of all DICOM files at a place, read once while they stay.

    Parameters
    ----------
    path : Path
        A file, a folder or a zip, or a part of one.

    Raises
    ------
    FormatError
        If there is no DICOM file, or one is damaged.
    """
    place = place_of(path)
    if not place.exists():
        raise FormatError(f"{place} does not exist. Correct the path.")
    stamp = stamps_of(files_at(place))
    with _lock:
        known = _known.get(str(place))
    if known is not None and known[0] == stamp:
        return known[1]
    with open_place(place) as archive:
        names = None if archive.is_zip or place.is_dir() else [place.name]
        found = list(read_headers(archive, names))
    if not found:
        raise FormatError(
            f"{place} has no DICOM file that can be read. Get it again, or take "
            "it away."
        )
    with _lock:
        while len(_known) >= _KEPT:
            del _known[next(iter(_known))]
        _known[str(place)] = (stamp, found)
    return found


def open_place(place: Path) -> Archive:
    """Return the files at a place, for ``with``; of a file, those of its folder."""
    if place.is_file() and place.suffix.lower() != ".zip":
        return Archive(place.parent, FormatError, "study", [place.name])
    return Archive(place, FormatError, "study")


def choose(stacks: Sequence[Stack], selector: str | None, where: Path | str) -> Stack:
    """Return the one stack that is meant.

    Parameters
    ----------
    stacks : sequence of Stack
        All that there are.
    selector : str or None
        What names one; None: the only one that anybody can mean.
    where : path
        For messages.

    Raises
    ------
    FormatError
        If it is none or several; lists all of them, with what to choose.
    """
    if not stacks:
        raise FormatError(
            f"{where} has DICOM files, but no image: they are segmentations, reports "
            "or the like. Give the folder of the images."
        )
    found = list(stacks) if selector is None else matching(stacks, selector)
    meant = [stack for stack in found if not stack.aside]
    if selector is not None and not meant:
        meant = found
    if len(meant) == 1:
        return meant[0]
    listed, names = listing(stacks), selectors(stacks)
    if selector is not None and not found:
        raise FormatError(
            f"{where} has no series {selector!r}. There are:\n{listed}\n"
            "Give one by number, UID or description (--series, or `dicom` in "
            "dataset.json)."
        )
    if not meant:
        raise FormatError(
            f"{where} has localizers only:\n{listed}\nIf one is meant, name it "
            "(--series)."
        )
    series = {stack.header.series for stack in meant}
    what = f"{len(series)} series" if len(series) > 1 else _several_parts(meant)
    if selector is not None and len(series) > 1:
        what = f"{what} that {selector!r} may mean"
    raise FormatError(
        f"{where} has {what}, and an image is one of them:\n{listed}\n"
        f"Choose with --series (such as --series {_quoted(names[id(meant[0])])}), or "
        "`dicom` in dataset.json."
    )


def _several_parts(stacks: Sequence[Stack]) -> str:
    words = "; ".join(stack.differs for stack in stacks[:4])
    return (
        f"{len(stacks)} stacks of slices in {stacks[0].called().partition(', part')[0]}"
        f" ({words})"
    )


def matching(stacks: Sequence[Stack], selector: str) -> list[Stack]:
    """Return the stacks that a selector names; see the head of this module."""
    text, part = selector.strip(), 0
    if match := PART.fullmatch(text):
        text, part = match[1], int(match[2])
    folded = text.casefold()
    rules: tuple[Callable[[Header], bool], ...] = (
        lambda header: header.series == text,
        lambda header: header.number == text,
        lambda header: header.description.casefold() == folded,
        lambda header: fnmatch.fnmatchcase(header.description.casefold(), folded),
        lambda header: bool(folded) and folded in header.description.casefold(),
    )
    for rule in rules:
        found = [stack for stack in stacks if rule(stack.header)]
        if found:
            return [s for s in found if not part or s.part == part or s.part == 0]
    return []


def selectors(stacks: Sequence[Stack]) -> dict[int, str]:
    """Return what chooses each stack, by its `id`: its number, if no other has it."""
    numbers = Counter(number for number, _ in {_series(stack) for stack in stacks})
    return {
        id(stack): stack.selector(by_uid=numbers[stack.header.number] > 1)
        for stack in stacks
    }


def _series(stack: Stack) -> tuple[str, str]:
    return stack.header.number, stack.header.series


def listing(stacks: Sequence[Stack]) -> str:
    """Return a line for each stack: what chooses it, and what it is."""
    lines, names = [], selectors(stacks)
    for stack in stacks[:SHOWN]:
        header = stack.header
        size = " x ".join(map(str, (len(stack.planes), *header.shape)))
        words = [f'"{header.description}"' if header.description else "no description"]
        words += [header.modality or "of no modality", size]
        spacing = stack.planes[0].spacing
        if spacing and not stack.problem and stack.placed:
            edges = (float(np.linalg.norm(stack.step)), *spacing)
            words.append(" x ".join(f"{edge:.3g}" for edge in edges) + " mm")
        if stack.differs:
            words.append(stack.differs)
        if stack.aside:
            words.append(f"{stack.aside}: not taken unasked")
        if stack.problem:
            words.append(f"no image: it {stack.problem}")
        if stack.tilt:
            words.append(f"tilted by {stack.tilt:.3g} degrees")
        lines.append(f"  {_quoted(names[id(stack)])}: {', '.join(words)}")
    if len(stacks) > SHOWN:
        lines.append(f"  and {len(stacks) - SHOWN} more")
    return "\n".join(lines)


def stacks_at(path: Path) -> list[Stack]:
    """Return all stacks at a place."""
    return stacks_of(headers_at(path))


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text
