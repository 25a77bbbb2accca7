"""Images that are folders or zips of DICOM slices: which cases they make.

``CASE`` holds all channels, ``CASE_0000`` one. Which series of a folder is meant says
the key ``dicom`` of dataset.json, or the user of a model. What is in the folders is not
looked at here, but whether it is DICOM.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoseg.dicom.headers import is_dicom, is_dicom_file
from autoseg.errors import DatasetError
from autoseg.formats.base import is_folder_image, known_endings, match_ending
from autoseg.spec.dataset import Case
from autoseg.spec.foreign.place import place_of, with_part

CHANNEL = re.compile(r"(.+)_(\d{4})")  # CASE_0000, as nnU-Net names files
KEY, SERIES, TILT, STRAIGHT = "dicom", "series", "tilt", "straight"
OTHERS = ("segments", "algorithm", "manufacturer", "model", "serial_number")
ENDING = ".dcm"  # how images are called that are folders of slices
ZIP = ".zip"


@dataclass(frozen=True)
class SeriesChoice:
    """Which series of a study is an image.

    Parameters
    ----------
    selectors : tuple of str
        For each channel; or one for all. Empty: the only series that there is, or those
        that are called as the channels.
    straight : bool
        Straighten what the gantry tilted.
    channels : tuple of str
        Names of the channels.
    """

    selectors: tuple[str, ...] = ()
    straight: bool = False
    channels: tuple[str, ...] = ()

    def images(self, place: Path) -> tuple[Path, ...]:
        """Return the paths of a case's channels in one folder, zip or file."""
        wanted: Sequence[str | None] = self.selectors or (None,)
        if len(self.channels) > 1 and len(self.selectors) < len(self.channels):
            wanted = self.channels
        return tuple(self.part(place, selector) for selector in wanted)

    def of_case(self, case: Case) -> Case:
        """Return a case whose folders of slices say which series is meant."""
        images = case.images
        if not any(map(is_bundle, images)):
            return case
        if len(images) == 1:
            return replace(case, images=self.images(images[0]))
        chosen: list[str | None] = list(self.selectors) or [None]
        chosen = chosen if len(chosen) == len(images) else chosen[:1] * len(images)
        parts = (
            self.part(path, selector) if is_bundle(path) else path
            for path, selector in zip(images, chosen, strict=True)
        )
        return replace(case, images=tuple(parts))

    def part(self, place: Path, selector: str | None) -> Path:
        """Return the path of a series."""
        tilt = STRAIGHT if self.straight else None
        return with_part(place, series=selector, tilt=tilt)


def choice_of(raw: Mapping[str, Any], channels: Sequence[str]) -> SeriesChoice:
    """Return which series dataset.json asks for.

    Parameters
    ----------
    raw : mapping
        dataset.json.
    channels : sequence of str
        Names of the channels.

    Raises
    ------
    DatasetError
        If ``dicom`` says something else; says what it may say.
    """
    said = raw.get(KEY, {})
    known = (SERIES, TILT, *OTHERS)
    if not isinstance(said, dict) or any(key not in known for key in said):
        raise DatasetError(
            f"`{KEY}` is {said!r}; it may have {', '.join(known)}, such as "
            '{"series": "*t1*"}'
        )
    given = said.get(SERIES, [])
    if isinstance(given, dict):
        given = [given.get(name) for name in channels]
    names = [given] if isinstance(given, (str, int)) else given
    good = isinstance(names, list) and all(isinstance(n, (str, int)) for n in names)
    if not good or len(names) not in (0, 1, len(channels)):
        raise DatasetError(
            f"`{KEY}` has the series {said.get(SERIES)!r}; give a number, a UID, a "
            "description or a pattern of it, for several channels one for each"
        )
    if said.get(TILT) not in (None, STRAIGHT):
        raise DatasetError(f"`{KEY}` has tilt {said[TILT]!r}; there is {STRAIGHT!r}")
    return SeriesChoice(
        selectors=tuple(str(name) for name in names),
        straight=TILT in said,
        channels=tuple(channels),
    )


def bundles_in(folder: Path) -> dict[Path, str]:
    """Return the folders and zips of DICOM in a folder, with their names.

    Parameters
    ----------
    folder : Path
        Such as imagesTr; it need not be there.
    """
    if not folder.is_dir():
        return {}
    inside = sorted(p for p in folder.iterdir() if p.name[0] != ".")
    return {
        p: p.name[: -len(ZIP)] if is_zip(p) else p.name
        for p in inside
        if (p.is_dir() or is_zip(p)) and not is_folder_image(p) and is_dicom(p)
    }


def is_zip(path: Path) -> bool:
    """Return whether a file is a zip by its name."""
    return path.suffix.lower() == ZIP and path.is_file()


def is_bundle(path: Path) -> bool:
    """Return whether an image is many files: a folder or a zip, or a part of one."""
    place = place_of(path)
    if is_folder_image(place):
        return False
    return place != path or place.is_dir() or is_zip(place)


def own_ending(path: Path) -> str:
    """Return the ending of an image's file; of slices that of one."""
    if is_bundle(path):
        return ENDING
    return match_ending(place_of(path).name, known_endings()) or ""


def has_slices(folder: Path) -> bool:
    """Return whether DICOM files lie in a folder itself, not in folders below."""
    files = [p for p in sorted(folder.iterdir()) if p.is_file() and p.name[0] != "."]
    return any(map(is_dicom_file, files[:8]))
