"""What is made of predictions beside themselves: statistics and previews."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import AutosegError, CaseErrors, UsageError
from autoseg.formats._base import read_image
from autoseg.parallel import map_cases
from autoseg.predict.cases import Job
from autoseg.predict.drift import unlike_fingerprint
from autoseg.report._case_picture import draw_case
from autoseg.report.pictures import Artist
from autoseg.report.statistics import Row, measure_regions, write_statistics
from autoseg.spec.dataset import Case, Dataset

PREVIEW = "_preview.png"

log = logging.getLogger(__name__)


def statistics_of(
    jobs: Sequence[Job], dataset: Dataset, workers: int | None = None
) -> tuple[Path, Path]:
    """Measure all regions of predictions, and write them beside the first of them.

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

    def measure(name: str) -> list[Row]:
        job = by_name[name]
        image = read_image(job.case, dataset)
        units[name] = (image.geometry.unit, image.geometry.dim)
        annotation, _ = read_annotation(
            job.output, dataset, task, image=image.geometry, case_id=name
        )
        return measure_regions(annotation, task, image)

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
    files = write_statistics(
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
        volumes = dict.fromkeys(task.classes, 0.0)
        if task.annotation_kind != "points":
            for row in measure_regions(annotation, task, image):
                volumes[row["class"]] = volumes.get(row["class"], 0.0) + row["volume"]
        return {
            "case": name,
            "shape": list(image.geometry.shape),
            "spacing": list(image.geometry.spacing),
            "unit": image.geometry.unit,
            "volumes": volumes if task.annotation_kind != "points" else {},
            "warnings": unlike_fingerprint(image, fingerprint, dataset.channel_names),
        }

    rows = map_cases(describe, list(cases), stage="predictions", workers=workers)
    found = list(rows.values())
    unit = f"{found[0]['unit']}{len(found[0]['shape'])}"
    return {
        "folder": str(folder),
        "classes": list(found[0]["volumes"]),
        "volume_unit": unit,
        "warned": sum(bool(row["warnings"]) for row in found),
        "cases": found,
    }
