"""Images on the network's grid, kept beside the preprocessed cases.

``CASE.npy`` is float16 (C, *S), opened as a memory map; ``CASE.json`` beside it says of
which content it was made.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from autoseg.atomic import atomically, sweep_temporaries
from autoseg.datasets.files import cases_like
from autoseg.datasets.groups import group_beside
from autoseg.datasets.identity import content_of
from autoseg.datasets.layouts.bids import KEY as BIDS
from autoseg.datasets.layouts.names import cases_in, is_bids
from autoseg.errors import UsageError, amount, some_of
from autoseg.formats.base import read_image
from autoseg.parallel import map_cases
from autoseg.preprocess.later import prepare
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.json import dumps, load_object, write_text
from autoseg.spec.run import Run
from autoseg.train.setup.changed import HASHED, size_of
from autoseg.train.setup.job import Job

FOLDER = "unannotated"  # beside the preprocessed cases

logger = logging.getLogger(__name__)


def find_images(folder: Path, job: Job) -> list[Case]:
    """Return the images of a folder, which have the channels of a data set.

    Of a BIDS data set, images are left out that a fold may hold out, and those of the
    same subjects; of a folder, whose images a user has chosen, they are told.

    Raises
    ------
    UsageError
        If there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder of images.")
    dataset = job.dataset
    if is_bids(folder):
        return _of_subjects(folder, dataset)
    found = cases_like(folder, dataset)
    held = _held_out(found, dataset)
    if held:
        logger.warning(
            "%s of %d are of cases of %s, or of their groups (%s). Each is held out by "
            "some fold, whose scores will be a little too good.",
            amount(len(held), "image"),
            len(found),
            dataset.name,
            some_of(held),
        )
    if not found:
        raise UsageError(
            f"{folder} has no image that ends in {dataset.image_ending}, as those of "
            f"{dataset.name} do."
        )
    return found


def _of_subjects(folder: Path, dataset: Dataset) -> list[Case]:
    """Return the images of a BIDS data set that no fold holds out."""
    channels = dataset.channel_names
    said = dataset.raw.get(BIDS) or {}
    found, lacking = cases_in(folder, channels, said.get("suffixes") or channels)
    if lacking:
        logger.warning(
            "%s left out, for not all of %s are there: %s.",
            amount(len(lacking), "case"),
            ", ".join(channels),
            some_of(lacking),
        )
    held = _held_out(found, dataset)
    if held:
        logger.info(
            "%s of %d left out, for folds hold out these subjects: %s.",
            amount(len(held), "image"),
            len(found),
            some_of(held),
        )
    if len(held) == len(found):
        raise UsageError(
            f"All images of {folder} are of annotated subjects, which folds hold out. "
            "To learn from them all the same, put links to them into a folder, called "
            "CASE_0000.nii.gz, and give that."
        )
    return [case for case in found if case.id not in held]


def _held_out(cases: Sequence[Case], dataset: Dataset) -> list[str]:
    """Return the ids of images that are annotated, or of one group with such."""
    files = {os.path.realpath(p) for case in dataset.training for p in case.images}
    groups = {case.group for case in dataset.training} - {None}
    rule = dataset.raw.get("groups")
    return [
        case.id
        for case in cases
        if any(os.path.realpath(path) in files for path in case.images)
        or group_beside(case.id, rule) in groups
    ]


def prepare_images(
    cases: Sequence[Case], job: Job, workers: int | None = None
) -> list[Path]:
    """Bring images to the network's grid, as far as they are not there.

    Parameters
    ----------
    cases : sequence of Case
        Without annotation.
    job : Job
        Says the grid.
    workers : int, optional
        Images at a time.

    Returns
    -------
    list of Path
        Of their arrays, in the order of the cases.

    Raises
    ------
    CaseErrors
        If some cannot be read; the others are there.
    UsageError
        If all of them have one value, in which nothing can be hidden.
    """
    folder = job.store.folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    sweep_temporaries(folder)
    files = {case.id: folder / f"{case.id}.npy" for case in cases}

    def make(case: Case) -> None:
        file, content = files[case.id], content_of(case)
        said = file.with_suffix(".json")
        if file.is_file() and said.is_file() and load_object(said).get("of") == content:
            return
        image = read_image(case, job.dataset, lazily=True)
        prepared = prepare(image, job.preparing, job.configuration, overwrite=True)
        array = np.asarray(prepared.array, dtype=np.float16)
        said.unlink(missing_ok=True)
        with atomically(file) as temporary, temporary.open("wb") as stream:
            np.save(stream, array)
        write_text(said, dumps({"of": content, "blank": bool(np.ptp(array) == 0)}))

    map_cases(make, cases, stage="prepare", workers=workers, name=lambda case: case.id)
    _look_for_blank(files)
    return list(files.values())


def _look_for_blank(files: Mapping[str, Path]) -> None:
    """Warn of images of one value; raise UsageError if all are such."""
    said = {
        name: load_object(file.with_suffix(".json")) for name, file in files.items()
    }
    blank = [name for name, one in said.items() if one.get("blank")]
    if len(blank) == len(files):
        raise UsageError(
            f"Each image has one value everywhere ({some_of(blank)}), so there is "
            "nothing to learn from. Give other images."
        )
    if blank:
        logger.warning(
            "%s of one value everywhere, from which nothing is learned: %s.",
            amount(len(blank), "image"),
            some_of(blank),
        )


def other_images(cases: Sequence[Case], run: Run) -> list[str]:
    """Return that a pretraining has seen other images, the rest of a line; or nothing.

    Parameters
    ----------
    cases : sequence of Case
        The images of now.
    run : Run
        Of the pretraining; versions before wrote down nothing. Of large files names
        alone are compared.
    """
    if not run.data:
        return []
    large = size_of(cases) > HASHED
    now = {case.id: "" if large else content_of(case) for case in cases}
    then = {name: "" if large else content for name, content in run.data.items()}
    names = sorted(now.keys() | then.keys())
    other = [name for name in names if now.get(name) != then.get(name)]
    if not other:
        return []
    return [
        f"has learned from other images: {some_of(other)} changed, went or came since. "
        "--overwrite makes it again."
    ]
