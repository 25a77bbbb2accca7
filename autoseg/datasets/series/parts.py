"""Images that hold several cases: each position and each time point is one."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from autoseg.errors import FormatError, some_of
from autoseg.formats.base import (
    find_format,
    is_folder_image,
    known_endings,
    match_ending,
)
from autoseg.spec.dataset import Case
from autoseg.spec.foreign.place import with_part

TIME = "time"  # what is asked for of an image that has time points

log = logging.getLogger(__name__)


def cases_of_parts(cases: Sequence[Case]) -> list[Case]:
    """Return cases, and for one whose image holds several a case for each of these.

    Parameters
    ----------
    cases : sequence of Case
        With images as they lie in a folder.

    Returns
    -------
    list of Case
        What came of one image is one group: it never sits on both sides of a split.
    """
    found: list[Case] = []
    for case in cases:
        names = parts_of(case.images[0]) if len(case.images) == 1 else {}
        if not names:
            found.append(case)
            continue
        made = [
            replace(case, id=f"{case.id}_{name}", images=(path,), group=case.id)
            for name, path in names.items()
        ]
        _say(case.images[0], tuple(one.id for one in made))
        found += made
    return found


@functools.lru_cache(maxsize=1024)
def _say(image: Path, ids: tuple[str, ...]) -> None:
    """Say once which cases an image holds."""
    log.info(
        "%s holds %d images (positions, time points); each is a case: %s.",
        image,
        len(ids),
        some_of(list(ids)),
    )


def _is_parted(path: Path) -> bool:
    """Return whether a file is of a kind that may hold several cases."""
    if not path.is_file() or match_ending(path.name, known_endings()) is None:
        return False
    return match_ending(path.name, find_format(path).parted) is not None


def stems_of_parts(stems: Mapping[str, Path]) -> dict[str, Path]:
    """Return annotations by name, and each of those that one of them holds."""
    found = dict(stems)
    for stem, path in stems.items():
        for name, part in parts_of(path).items():
            found.setdefault(f"{stem}_{name}", part)
    return found


def parts_of(path: Path) -> dict[str, Path]:
    """Return the images in a file that are cases, by what is put behind its case's id.

    Parameters
    ----------
    path : Path
        An image.

    Returns
    -------
    dict of str to Path
        Such as ``A-1-0_t03``; nothing if it is one image, or cannot be read: whoever
        reads it says why.
    """
    if not (is_folder_image(path) or _is_parted(path)):
        return {}
    try:
        asked = find_format(path).cases(path)
    except FormatError:
        return {}
    if len(asked) < 2 and not any(asked):
        return {}
    width = max(len(one.get(TIME, "")) for one in asked)
    return {
        "_".join(
            f"t{value.zfill(width)}" if key == TIME else value
            for key, value in one.items()
        ): with_part(path, **one)
        for one in asked
    }
