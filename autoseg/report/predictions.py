"""What is made of predictions beside themselves: statistics and previews."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import AutosegError, CaseErrors, UsageError
from autoseg.formats.base import read_image
from autoseg.parallel import map_cases
from autoseg.predict.cases import Job
from autoseg.predict.drift import unlike_fingerprint, unlike_inside
from autoseg.report.artist import Artist
from autoseg.report.pictures.case import draw_case
from autoseg.report.statistics import (
    Row,
    measure_points,
    measure_regions,
    write_point_statistics,
    write_statistics,
)
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.image import Image
from autoseg.spec.points import Points
from autoseg.workspace import PREVIEW

OBJECTS = {"instance": "instances", "landmark": "landmarks found"}
USUAL = 0.95  # of the training cases: what is in as many is missed in a prediction

log = logging.getLogger(__name__)


def statistics_of(
    jobs: Sequence[Job], dataset: Dataset, workers: int | None = None
) -> tuple[Path, Path]:
    """Measure all regions or points of predictions; write them beside the first one.

    Parameters
    ----------
    jobs : sequence of Job
        Cases with their images and predictions; at least one.
    dataset : Dataset
        Says how files are read and what labels mean.
    workers : int, optional
        Cases at a time.

    Returns
    -------
    tuple of Path
        ``statistics.csv`` and ``statistics.json``.

    Raises
    ------
    CaseErrors
        At the end, if some could not be measured; those of the others are written.
    """
    task = Artist(dataset=dataset).task
    found: dict[str, list[Row]] = {}
    units: dict[str, tuple[str, int]] = {}

    points = task.kind == "points"
    kind = measure_points if points else measure_regions

    def measure(name: str) -> list[Row]:
        job = by_name[name]
        image = read_image(job.case, dataset)
        units[name] = (image.geometry.unit, image.geometry.dim)
        annotation, _ = read_annotation(
            job.output, dataset, task, image=image.geometry, case_id=name
        )
        return kind(annotation, task, image)

    by_name = {job.case.id: job for job in jobs}
    failure: CaseErrors | None = None
    try:
        map_cases(
            measure, list(by_name), stage="statistics", workers=workers,
            done=found.__setitem__,
        )  # fmt: skip
    except CaseErrors as error:
        failure = error
    unit, dim = next(iter(units.values()), ("px", 3))
    write = write_point_statistics if points else write_statistics
    files = write(
        jobs[0].output.parent, found, channels=dataset.channel_names, unit=unit, dim=dim
    )
    if failure is not None:
        raise failure
    return files


def previews_of(jobs: Sequence[Job], dataset: Dataset) -> list[Path]:
    """Draw each prediction over its image as ``CASE_preview.png`` beside it.

    Parameters
    ----------
    jobs : sequence of Job
        Cases with their images and predictions.
    dataset : Dataset
        Says how files are read and what labels mean.

    Returns
    -------
    list of Path
        The pictures; a case that cannot be drawn is told of and left out.
    """
    artist = Artist(dataset=dataset)
    written = []
    for job in jobs:
        try:
            picture = draw_case(artist.view(job.case, job.output, None))
        except (AutosegError, OSError) as error:
            log.warning("%s has no preview: %s", job.case.id, error)
            continue
        path = job.output.with_name(f"{job.case.id}{PREVIEW}")
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(picture)
        temporary.replace(path)
        written.append(path)
    return written


def describe_predictions(
    folder: Path,
    images: Sequence[Case],
    dataset: Dataset,
    fingerprint: Mapping[str, Any],
    workers: int | None = None,
) -> dict[str, Any]:
    """Return volumes of predictions without annotation, and what is odd about images.

    Parameters
    ----------
    folder : Path
        Of predictions.
    images : sequence of Case
        Cases with their images; those that were not predicted are left out.
    dataset : Dataset
        Says how files are read and what labels mean.
    fingerprint : mapping
        Of the training data, as in its file.
    workers : int, optional
        Cases at a time.

    Returns
    -------
    dict of str to JSON value
        ``cases``: a row for each, with shape, spacing, volume by class, and warnings
        where spacing, size or intensities are unlike those of training.

    Raises
    ------
    UsageError
        If no prediction belongs to an image.
    CaseErrors
        If some could not be read.
    """
    artist = Artist(dataset=dataset)
    task = artist.task
    predicted = artist.predictions(folder)
    cases = {case.id: case for case in images if case.id in predicted}
    if not cases:
        raise UsageError(
            f"{folder} has no prediction of any image that is known; give the folder "
            "of the images (--images)."
        )

    def describe(name: str) -> dict[str, Any]:
        image = read_image(cases[name], dataset)
        annotation, _ = read_annotation(
            predicted[name], dataset, task, image=image.geometry, case_id=name
        )
        volumes, found = _amounts(annotation, task, image)
        warnings = unlike_fingerprint(image, fingerprint, dataset.channel_names)
        warnings += _unlike_training(image, annotation, fingerprint, dataset)
        warnings += _not_found(found, fingerprint)
        return {
            "case": name,
            "shape": list(image.geometry.shape),
            "spacing": list(image.geometry.spacing),
            "unit": image.geometry.unit,
            "volumes": volumes,
            "found": sum(found.values()),
            "warnings": warnings,
        }

    rows = map_cases(describe, list(cases), stage="predictions", workers=workers)
    found = list(rows.values())
    unit = f"{found[0]['unit']}{len(found[0]['shape'])}"
    return {
        "folder": str(folder),
        "classes": list(found[0]["volumes"]),
        "objects": OBJECTS.get(dataset.task),
        "volume_unit": unit,
        "warned": sum(bool(row["warnings"]) for row in found),
        "cases": found,
    }


def _amounts(
    annotation: Any, task: Any, image: Image
) -> tuple[dict[str, float], dict[str, int]]:
    """Return by class the volume, and how many regions or points were found."""
    found = dict.fromkeys(task.classes, 0)
    if isinstance(annotation, Points):
        here = zip(annotation.names, annotation.present.tolist(), strict=True)
        return {}, found | {name: int(there) for name, there in here}
    volumes = dict.fromkeys(task.classes, 0.0)
    for row in measure_regions(annotation, task, image):
        name = row["class"]
        volumes[name] = volumes.get(name, 0.0) + row["volume"]
        found[name] = found.get(name, 0) + (row["voxels"] > 0)
    return volumes, found


def _unlike_training(
    image: Image, annotation: Any, fingerprint: Mapping[str, Any], dataset: Dataset
) -> list[str]:
    """Compare intensities where training measured them, too."""
    if isinstance(annotation, Points):
        inside = (image.array != 0).any(axis=0)
        where = "Where the image is not 0"
    else:
        inside, where = np.asarray(annotation) > 0, "Inside of what was predicted"
    known = fingerprint.get("intensities") or ()
    return [
        sentence
        for channel, numbers, name in zip(
            image.array, known, dataset.channel_names, strict=False
        )
        for sentence in unlike_inside(channel[inside], numbers, name, where)
    ]


def _not_found(found: Mapping[str, int], fingerprint: Mapping[str, Any]) -> list[str]:
    """Name classes and landmarks that nearly every training case has, and this not."""
    measured, cases = fingerprint["annotation"], fingerprint["num_cases"]
    there: dict[str, int] = {}
    for name, numbers in (measured.get("classes") or {}).items():
        if isinstance(numbers, Mapping):
            there[name] = numbers.get("cases_present") or 0
    for name, numbers in (measured.get("status") or {}).items():
        there[name] = numbers["present"]
    return [
        f"{name} was not found; it is in {there[name]} of {cases} training cases."
        for name, count in found.items()
        if not count and there.get(name, 0) >= USUAL * cases
    ]
