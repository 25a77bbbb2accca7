"""What is made of predictions beside themselves: statistics and previews."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from autoseg.atomic import atomically
from autoseg.datasets.annotations import read_prediction
from autoseg.errors import AutosegError, CaseErrors
from autoseg.formats.base import read_image
from autoseg.parallel import map_cases
from autoseg.predict.job import Job
from autoseg.report.artist import Artist
from autoseg.report.pictures.case import draw_case
from autoseg.report.statistics import Row
from autoseg.spec.dataset import Dataset
from autoseg.workspace import PREVIEW as PREVIEW

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
    artist = Artist(dataset=dataset)
    found: dict[str, list[Row]] = {}
    units: dict[str, tuple[str, int]] = {}

    def measure(name: str) -> list[Row]:
        job = by_name[name]
        image = read_image(job.case, dataset)
        units[name] = (image.geometry.unit, image.geometry.dim)
        annotation, _ = read_prediction(
            job.output, dataset, artist.task, image=image.geometry, case_id=name
        )
        return artist.kind.measure(annotation, image)

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
    files = artist.kind.write(
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
        with atomically(path) as temporary:
            temporary.write_bytes(picture)
        written.append(path)
    return written
