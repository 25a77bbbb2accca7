"""What makes training vain though all files can be read: training refuses it, too."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from autoseg.errors import FormatError, some_of
from autoseg.formats.base import find_format, known_endings, match_ending
from autoseg.spec.dataset import KEY, Dataset, entries_of, fits
from autoseg.spec.image import Geometry
from autoseg.tasks.base import Task

JPEG = (".jpg", ".jpeg")
SURE = range(256)  # values that any format holds


class Vain(NamedTuple):
    """Where, what was found and what to do: sentences."""

    file: Path
    found: str
    fix: str


def jpeg_maps(dataset: Dataset) -> Vain | None:
    """Return that annotations are JPEG files, None if they are not."""
    drawn = [case.annotation for case in dataset.training if case.annotation]
    if not any(match_ending(path.name, JPEG) for path in drawn):
        return None
    return Vain(
        dataset.folder / "labelsTr",
        "The annotations are JPEG files, which change values; predictions cannot be "
        "written as such.",
        "Convert them to png, round to the values that are meant, and set "
        '"label_ending": ".png".',
    )


def fits_nothing(dataset: Dataset) -> Iterator[Vain]:
    """Yield what ``annotated`` says of cases that are not there.

    It was meant for a case that would now count as annotated in full.
    """
    for key in entries_of(dataset.raw):
        if not any(fits(key, case.id, case.group) for case in dataset.training):
            yield Vain(
                dataset.folder / "dataset.json",
                f"`{KEY}` has {key!r}, which is no case, no group, and fits none.",
                "Correct it, or take it out; `*` stands for anything.",
            )


def never_present(dataset: Dataset, present: bool) -> Vain | None:
    """Return that there is no point in any case, None if there is one.

    Parameters
    ----------
    dataset : Dataset
        Of points.
    present : bool
        Whether any landmark is present in any case.
    """
    if present:
        return None
    return Vain(
        dataset.folder / "dataset.json",
        "No training case has any of the landmarks, so there is nothing to learn.",
        "Look whether names and status in the files are those of dataset.json.",
    )


def unwritable(dataset: Dataset, values: Collection[int]) -> Vain | None:
    """Return that a file of predictions cannot hold the values, None if it can.

    Parameters
    ----------
    dataset : Dataset
        Its annotations' ending is that of predictions.
    values : collection of int
        Of all classes, as they are in files.
    """
    ending = dataset.annotation_ending
    low, high = min(values, default=0), max(values, default=0)
    if (low in SURE and high in SURE) or not match_ending(ending, known_endings()):
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{ending}"
        for shape in ((1, 2), (1, 1, 2)):
            geometry = Geometry(shape=shape, spacing=(1.0,) * len(shape), unit="mm")
            labels = np.array([low, high], np.int64).reshape(shape)
            try:
                find_format(path, dataset.format).write_labels(path, labels, geometry)
                return None
            except FormatError:
                continue
    return Vain(
        dataset.folder / "dataset.json",
        f"Predictions are written as {ending}, and such a file cannot hold the values "
        f"of `labels`, from {low} to {high}.",
        'Say another "label_ending", such as ".nii.gz" or ".tif", and write '
        "annotations so, or give the classes smaller values.",
    )


def never_annotated(
    dataset: Dataset, task: Task, known: Collection[str]
) -> Vain | None:
    """Return that no case speaks of a class, None if some do of each.

    Parameters
    ----------
    dataset : Dataset
        Of label maps.
    task : Task
        Names the classes.
    known : collection of str
        Those that some case speaks of.
    """
    missing = [name for name in task.classes if name not in known]
    if KEY not in dataset.raw or not missing:
        return None
    return Vain(
        dataset.folder / "dataset.json",
        f"By `{KEY}`, {some_of([repr(name) for name in missing])} is annotated in no "
        "case.",
        "Take it out of `labels`, or annotate it somewhere.",
    )


def never_complete(dataset: Dataset, classes: Collection[str]) -> Vain | None:
    """Return that no case of instances speaks of all classes, None if one does.

    Nothing then says of any voxel that no object is there.

    Parameters
    ----------
    dataset : Dataset
        Of instances.
    classes : collection of str
        Their names.
    """
    said = [case.annotated for case in dataset.training]
    if not said or any(one is None or set(one) >= set(classes) for one in said):
        return None
    return Vain(
        dataset.folder / "dataset.json",
        f"By `{KEY}`, no case has all of its objects annotated, so that nothing says "
        "where there is none.",
        "Annotate all classes in some cases.",
    )


def masks_for_ids(dataset: Dataset, masks: int, drawn: int) -> Vain | None:
    """Return that all annotations are masks of the foreground, where ids are meant.

    Parameters
    ----------
    dataset : Dataset
        Of instances, which says nothing about components.
    masks : int
        Annotations with one id, in several pieces.
    drawn : int
        Annotations with anything in them.
    """
    if masks < 2 or masks < drawn:
        return None
    return Vain(
        dataset.folder / "labelsTr",
        f"All {masks} annotations have one id each for objects in several pieces: they "
        "are masks of the foreground, not maps of ids.",
        "Give each object an id of its own. If no two objects touch, say "
        '"components": true in dataset.json: then each piece is an object. If each '
        'image has one object in several pieces, say "components": false.',
    )
