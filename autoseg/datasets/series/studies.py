"""Images that are series of DICOM files: which cases a folder or a zip has."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoseg.datasets.series.choice import (
    CHANNEL,
    SeriesChoice,
    bundles_in,
    choice_of,
    has_slices,
    is_zip,
)
from autoseg.dicom.choose import listing, matching, open_place, stacks_at
from autoseg.dicom.headers import is_dicom, read_headers
from autoseg.dicom.series import Stack
from autoseg.dicom.voxels import find_stack
from autoseg.errors import UsageError
from autoseg.spec.dataset import Case

ALL = "all"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What is asked for of studies.

    Parameters
    ----------
    series : tuple of str
        Selectors of series; ``all`` predicts each of them. Empty: what the model's
        dataset.json says.
    straighten : bool
        Straighten what the gantry tilted.
    types : tuple of str
        Kinds of files that predictions become; empty: as the model was trained.
    """

    series: tuple[str, ...] = ()
    straighten: bool = False
    types: tuple[str, ...] = ()

    def choice(self, raw: Mapping[str, Any], channels: Sequence[str]) -> SeriesChoice:
        """Return which series are channels, of the model's dataset.json and these."""
        said = choice_of(raw, channels)
        given = () if ALL in self.series else self.series
        return SeriesChoice(
            selectors=given or said.selectors,
            straight=self.straighten or said.straight,
            channels=tuple(channels),
        )


def is_study(path: Path) -> bool:
    """Return whether the series of one place are one case, and not several patients'.

    Parameters
    ----------
    path : Path
        A folder or a file.
    """
    if is_zip(path):
        return is_dicom(path)
    if not path.is_dir():
        return False
    if has_slices(path):
        return True
    folders = [folder for folder in bundles_in(path) if folder.is_dir()]
    if len(folders) < 2 or any(CHANNEL.fullmatch(folder.name) for folder in folders):
        return False
    return len({_study_of(folder) for folder in folders}) == 1


def _study_of(folder: Path) -> str:
    """Return the study of the first DICOM file in a folder."""
    with open_place(folder) as archive:
        for header in read_headers(archive):
            return header.study
    return ""


def cases_of_study(path: Path, wanted: Wanted, choice: SeriesChoice) -> list[Case]:
    """Return the cases at one place; mostly one.

    Parameters
    ----------
    path : Path
        A folder or zip of one study. Of several studies side by side, each is a case.
    wanted : Wanted
        What the user says.
    choice : SeriesChoice
        Which series are channels, by `Wanted.choice`.

    Returns
    -------
    list of Case
        Their images are parts of the place.

    Raises
    ------
    FormatError
        If it has several series and nobody says which is meant, or that one is no
        image; lists all.
    """
    stacks = stacks_at(path)
    name = case_name(path)
    studies = list(dict.fromkeys(stack.header.study for stack in stacks))
    if ALL in wanted.series or (_are_pictures(stacks) and not wanted.series):
        return _each(path, name, stacks, choice)
    if len(choice.channels) == 1 and len(choice.selectors) > 1:
        cases = []
        for selector in choice.selectors:
            cases += _each(path, name, matching(stacks, selector), choice)
        return cases or [_one(path, name, choice)]
    if len(studies) == 1 or not stacks:
        return [_one(path, name, choice)]
    raise UsageError(
        f"{path} has files of {len(studies)} studies side by side:\n{listing(stacks)}\n"
        "Put each into a folder of its own, choose one series (--series), or predict "
        "each of them (--series all)."
        if not choice.selectors
        else f"{path} has files of {len(studies)} studies side by side. Put each into "
        "a folder of its own."
    )


def _are_pictures(stacks: Sequence[Stack]) -> bool:
    """Return whether all there is are pictures, each a series of its own."""
    return len(stacks) > 1 and all(
        not stack.placed and len(stack.planes) == 1 for stack in stacks
    )


def _one(path: Path, name: str, choice: SeriesChoice) -> Case:
    case = Case(id=name, images=choice.images(path))
    for image in case.images:
        stack = find_stack(image)
        logger.info("%s: %s", name, stack.called())
    return case


def _each(
    path: Path, name: str, stacks: Sequence[Stack], choice: SeriesChoice
) -> list[Case]:
    """Return a case for each stack; those that are no images are said, and left out."""
    cases = []
    for stack in stacks:
        if stack.problem or stack.aside or (stack.tilt and not choice.straight):
            why = stack.problem or stack.aside or "is tilted"
            logger.warning("%s: %s is left out: %s", path, stack.called(), why)
            continue
        part = f"@{stack.part}" if stack.part else ""
        image = choice.part(path, f"{stack.header.series}{part}")
        single = len({plane.name for plane in stack.planes}) == 1
        own = Path(stack.planes[0].name).stem if single else f"{name}_{_word(stack)}"
        cases.append(Case(id=own, images=(image,)))
    return cases


def _word(stack: Stack) -> str:
    return re.sub(r"[^\w.-]+", "_", stack.selector().replace("@", "_"))


def case_name(path: Path) -> str:
    """Return the id of a case that is a folder or a zip."""
    place = path.resolve()
    name = place.stem if is_zip(place) else place.name
    match = CHANNEL.fullmatch(name)
    return match[1] if match else name or "case"
