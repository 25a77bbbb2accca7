"""Which images there are to predict, and where each prediction goes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autoseg.datasets.files import (
    CHANNEL,
    cases_by_name,
    find_cases,
    list_files,
    stem_of,
)
from autoseg.datasets.points import ENDING as POINTS
from autoseg.errors import UsageError
from autoseg.formats.base import known_endings, match_ending
from autoseg.model.model import Model
from autoseg.pointfiles.base import written_endings
from autoseg.spec.dataset import Case
from autoseg.tasks import TASKS

LOSSY = (".jpg", ".jpeg")  # would change label values
PNG = ".png"
SPARE = ".tif"  # holds any ids

Input = str | os.PathLike[str] | Sequence["str | os.PathLike[str] | Sequence[Path]"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One image to predict.

    Parameters
    ----------
    case : Case
        With its image files.
    output : Path
        File of the prediction.
    """

    case: Case
    output: Path

    def probabilities(self, kind: str) -> Path:
        """Return the file of the activated outputs, beside the prediction."""
        return self.output.with_name(f"{self.case.id}{PROBABILITIES[kind]}")

    @property
    def spare(self) -> Path | None:
        """File of ids that the files of training cannot hold, unless that is taken."""
        file = self.output.with_name(f"{self.case.id}{SPARE}")
        taken = {path.resolve() for path in (self.output, *self.case.images)}
        return None if file.resolve() in taken else file

    def done(self) -> Job:
        """Return the job with the file that was written."""
        if self.output.exists() or self.spare is None or not self.spare.exists():
            return self
        return replace(self, output=self.spare)


PROBABILITIES = {"b2nd": "_probabilities.b2nd", "npz": ".npz"}


def find_jobs(given: Input, output: Path, model: Model) -> list[Job]:
    """Return everything that is to be predicted.

    Parameters
    ----------
    given : path, or sequence of paths or of sequences of paths
        A folder with images named ``CASE_0000.EXT`` (one file for each channel) or
        ``CASE.EXT``; or files, those of one case together.
    output : Path
        A folder; or for one case a file, if it has an ending that a format knows.
    model : Model
        Gives channels and endings.

    Returns
    -------
    list of Job
        Sorted by case.

    Raises
    ------
    UsageError
        If there is no image, or two cases have one name.
    """
    cases = _find_cases(given, model)
    ids = [case.id for case in cases]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise UsageError(
            f"{', '.join(twice)}: several images have this name, and their predictions "
            "would overwrite each other. Rename them, or predict folder by folder."
        )
    endings = (*known_endings(), POINTS)
    if TASKS[model.plan.task.name].kind == "points":
        endings = written_endings()
    one_file = match_ending(output.name, endings) and not output.is_dir()
    if one_file and len(cases) > 1:
        raise UsageError(
            f"{len(cases)} cases do not fit into one file, {output}. Give a folder."
        )
    if one_file:
        return [Job(case=cases[0], output=output)]
    return [
        Job(case=case, output=output / f"{case.id}{prediction_ending(case, model)}")
        for case in cases
    ]


def prediction_ending(case: Case, model: Model) -> str:
    """Return the ending of a prediction: as the training annotations', without loss."""
    if TASKS[model.plan.task.name].kind == "points":
        return POINTS
    own = match_ending(case.images[0].name, known_endings()) or ""
    ending = model.describe().annotation_ending or own
    if not match_ending(ending, known_endings()):  # COCO's JSON, say
        ending = own
    return PNG if ending.lower() in LOSSY else ending


def expected_files(model: Model, case_id: str = "CASE") -> str:
    """Return how the files of a case are called, for messages."""
    ending = model.describe().image_ending or ".EXT"
    names = model.channels
    files = [f"{case_id}_{i:04d}{ending} ({name})" for i, name in enumerate(names)]
    if len(files) == 1:
        files.append(f"or {case_id}{ending}")
    return ", ".join(files).replace(", or", " or")


def _find_cases(given: Input, model: Model) -> list[Case]:
    channels = len(model.channels)
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        if path.is_dir():
            return _in_folder(path, model)
        given = [path]
    if all(isinstance(entry, (str, os.PathLike)) for entry in given):
        paths = [Path(os.fspath(path)) for path in given]  # type: ignore[arg-type]
        stems = {path: stem_of(path, known_endings()) or path.stem for path in paths}
        named = cases_by_name(stems, model.channels) if channels > 1 else []
        cases = named or _group(paths, channels)
    else:
        groups = [[Path(p) for p in files] for files in given]  # type: ignore[union-attr]
        cases = [Case(id=_id_of(g[0]), images=tuple(g)) for g in groups if g]
    missing = [str(p) for case in cases for p in case.images if not p.exists()]
    if missing or not cases:
        raise UsageError(
            f"No such image: {', '.join(missing) or 'none was given'}. "
            f"Expected: {expected_files(model)}."
        )
    return sorted(cases, key=lambda case: case.id)


def _in_folder(folder: Path, model: Model) -> list[Case]:
    files = list_files(folder)
    ending: str | None = model.describe().image_ending
    if not any(match_ending(path.name, (ending or "?",)) for path in files):
        ending = None  # images of another kind than those of training are welcome
    names = model.channels if len(model.channels) > 1 else ()
    cases = find_cases(folder, len(model.channels), ending, names=names)
    if not cases:
        there = ", ".join(path.name for path in files[:3]) or "nothing"
        raise UsageError(
            f"{folder} has no image to predict (there is {there}). Expected: "
            f"{expected_files(model)}."
        )
    return cases


def _group(paths: Sequence[Path], channels: int) -> list[Case]:
    """Put files into cases: channel files together, everything else alone."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        stem = stem_of(path, known_endings()) or path.stem
        together = channels > 1 and CHANNEL.fullmatch(stem)
        found.setdefault(_id_of(path) if together else str(path), []).append(path)
    return [
        Case(id=_id_of(files[0]), images=tuple(sorted(files)))
        for files in found.values()
    ]


def _id_of(path: Path) -> str:
    stem = stem_of(path, known_endings()) or path.stem
    match = CHANNEL.fullmatch(stem)
    return match[1] if match else stem
