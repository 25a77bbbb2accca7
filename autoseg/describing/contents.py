"""What is in images and annotations: channels, classes, landmarks, and the task."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.describing.drawn import Guess, Map, guess, measure
from autoseg.describing.kinds import DESCRIBE_KINDS
from autoseg.describing.kinds.base import Ask, DescribeKind, Keys, Said
from autoseg.describing.pairs import FOLDERS, Found
from autoseg.describing.roles import is_image
from autoseg.errors import (
    AutosegError,
    DatasetError,
    FormatError,
    UsageError,
    some_of,
)
from autoseg.formats.base import find_format
from autoseg.parallel import map_cases
from autoseg.spec.foreign.place import lost
from autoseg.spec.image import Geometry
from autoseg.tasks import TASKS

RGB = ("red", "green", "blue")
AIR = -900  # Hounsfield units, and a little more
BONE = 200
LOOKED_AT = 5  # images


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What was seen.

    Parameters
    ----------
    task : str
        What annotations mean.
    because : str
        Why.
    channels : tuple of str
        Names.
    channels_because : str
        Why they are called so; empty if that needs no word.
    keys : mapping
        What dataset.json says of annotations: ``labels``, or ``landmarks``.
    geometry : Geometry
        Of the first image.
    shapes : tuple of tuple of int
        Of the annotations that are maps, or of the first images.
    """

    task: str
    because: str
    channels: tuple[str, ...]
    channels_because: str = ""
    keys: Mapping[str, Any]
    geometry: Geometry
    shapes: tuple[tuple[int, ...], ...] = ()


def look(
    found: Found,
    *,
    task: str | None,
    labels: Mapping[str, int] | None,
    channels: Sequence[str],
    ignore: int | None,
    ask: Ask,
    workers: int | None = None,
) -> Contents:
    """Look into images and annotations.

    Parameters
    ----------
    found : Found
        With at least one case.
    task, labels, channels, ignore, ask
        As in `autoseg.init`.
    workers : int, optional
        Files at the same time.

    Returns
    -------
    Contents
        What was seen, or said.

    Raises
    ------
    FormatError, DatasetError, CaseErrors
        If a file cannot be read.
    UsageError
        If what is said contradicts what is there.
    """
    names, why, geometry, shapes = _channels(found, channels)
    said = Said(labels=labels, ignore=ignore, ask=ask)
    annotations = {case.id: case.annotation for case in found.cases if case.annotation}
    first = next(iter(annotations.values()))
    if found.kind == FOLDERS:
        seen = _of_folders(task, said)
    elif not is_image(first):
        seen = _of_files(sorted(set(annotations.values())), task, said)
    else:
        maps = map_cases(
            lambda case: measure(annotations[case]),
            list(annotations),
            stage="looking",
            workers=workers,
        )
        shapes = tuple(one.shape for one in maps.values())
        seen = _of_maps(maps, first, task, said)
    return Contents(
        task=seen[0],
        because=seen[1],
        keys=seen[2],
        channels=names,
        channels_because=why,
        geometry=geometry,
        shapes=shapes,
    )


def _channels(
    found: Found, given: Sequence[str]
) -> tuple[tuple[str, ...], str, Geometry, tuple[tuple[int, ...], ...]]:
    """Return the channels' names, why, and the geometry of the first images."""
    shapes, lows, highs, whole, counts = [], [], [], [], []
    first: Geometry | None = None
    step = max(1, len(found.cases) // LOOKED_AT)
    for case in found.cases[::step][:LOOKED_AT]:
        path = case.images[0]
        if link := lost(path):
            raise FormatError(f"{path}{link}. Replace the link by the file.")
        array, geometry = find_format(path).load(path, None, None, len(given) or None)
        counts.append(_colors(len(array), case.images[0]))
        shapes.append(geometry.shape)
        lows.append(float(np.min(array)))
        highs.append(float(np.max(array)))
        whole.append(bool(np.all(array[..., :1] == np.round(array[..., :1]))))
        first = first or geometry
    if first is None:
        raise DatasetError("no image is annotated.")
    inside = max(counts)
    count = len(found.channels) or inside
    if given:
        if len(given) != count:
            raise UsageError(
                f"--channels names {len(given)}, and the images have {count}."
            )
        return tuple(given), "", first, tuple(shapes)
    if found.channels:
        return _named(found.channels), "the files' names", first, tuple(shapes)
    if inside in (3, 4) and first.dim == 2:
        return (*RGB, "alpha")[:inside], "color pictures", first, tuple(shapes)
    if inside == 1 and max(lows) <= AIR and min(highs) >= BONE and all(whole):
        why = f"values from {min(lows):.0f} on, as Hounsfield's; of another scan say "
        return ("CT",), f"{why}--channels MRI", first, tuple(shapes)
    if inside == 1:
        return ("image",), "", first, tuple(shapes)
    return tuple(f"channel {n}" for n in range(inside)), "", first, tuple(shapes)


def _colors(count: int, path: Path) -> int:
    """Return how many channels a file has; gray that was saved as color has one."""
    reader = find_format(path)
    if count > 1 and reader.is_picture(path):
        for fewer in (1, 3):
            with contextlib.suppress(FormatError):
                reader.read_image([path], channels=fewer)
                return fewer
    return count


def _named(channels: Sequence[str]) -> tuple[str, ...]:
    """Return channels as dataset.json calls them; CT chooses a normalization there."""
    return tuple(
        f"channel {int(name)}"
        if name.isdigit()
        else "CT"
        if name.lower() == "ct"
        else name
        for name in channels
    )


def _kinds(task: str | None) -> list[DescribeKind]:
    """Return the kinds of annotations that there may be, the likelier first."""
    names = ("points", "instances", "labels") if task is None else (TASKS[task].kind,)
    return [DESCRIBE_KINDS[name]() for name in names]


def _of_folders(task: str | None, said: Said) -> tuple[str, str, Keys]:
    """Return task, reason and keys of folders of masks."""
    for kind in _kinds(task):
        if (seen := kind.of_folders(said)) is not None:
            return kind.task, *seen
    raise UsageError(
        f"--task {task}, but there is a folder of masks for each image, which is read "
        "as instance only."
    )


def _of_files(
    files: Sequence[Path], task: str | None, said: Said
) -> tuple[str, str, Keys]:
    """Return task, reason and keys of files that are no images."""
    problem = f"{files[0]} says nothing that task {task} could learn"
    for kind in _kinds(task):
        try:
            seen = kind.of_files(files, said)
        except (AutosegError, OSError, ValueError) as error:
            problem = str(error)
            continue
        if seen is not None:
            return kind.task, *seen
    raise DatasetError(problem)


def _of_maps(
    maps: Mapping[str, Map], first: Path, task: str | None, said: Said
) -> tuple[str, str, Keys]:
    """Return task, reason and keys of maps."""
    _must_be_drawn(maps, first)
    seen = guess(list(maps.values()))
    chosen = task or seen.task or _asked(seen, said.ask)
    because = seen.because if chosen in seen.readings else "you say so"
    kind = DESCRIBE_KINDS[TASKS[chosen].kind]()
    return chosen, because, kind.of_maps(list(maps.values()), first, seen.void, said)


def _must_be_drawn(maps: Mapping[str, Map], first: Path) -> None:
    """Raise UsageError if there is nothing in maps, or if they are images."""
    if not any(one.values for one in maps.values()):
        raise UsageError(
            f"All {len(maps)} annotations are empty, as {first} is: nothing but 0 is "
            "in them. Put the right files there."
        )
    noisy = [name for name, one in maps.items() if not one.is_drawn]
    if 2 * len(noisy) > len(maps):
        count = len(maps[noisy[0]].values)
        raise UsageError(
            f"The annotations of {some_of(noisy)} have many values ({count} in the "
            f"first one), which change from pixel to pixel: they are images, such as "
            f"{first}. Say which is which: --images WHERE --annotations WHERE."
        )


def _asked(seen: Guess, ask: Ask) -> str:
    question = (
        f"The annotations have {seen.because}. Are they areas (semantic), or objects "
        "to be told apart (instance)?"
    )
    return ask(question, seen.readings, "--task")
