"""Copies of predicted points in the files of other programs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from autoseg.datasets.points import ENDING, read_points, write_points
from autoseg.errors import UsageError
from autoseg.pointfiles.base import Item
from autoseg.pointfiles.base import write_points as write_file
from autoseg.predict.job import Job
from autoseg.workspace import ALL_POINTS

KINDS = {"csv": ".csv", "mrk.json": ".mrk.json", "coco": ".coco.json"}
OF_A_CASE = ("mrk.json",)  # 3D Slicer opens the points of one image


def check_point_files(kinds: Collection[str], dim: int) -> None:
    """Raise UsageError if points cannot be written in these ways.

    Parameters
    ----------
    kinds : collection of str
        Keys of `KINDS`.
    dim : int
        Number of axes of the images.
    """
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise UsageError(
            f"There are no files of points of kind {', '.join(unknown)}; there are "
            f"{', '.join(KINDS)}."
        )
    if "coco" in kinds and dim != 2:
        raise UsageError("COCO's keypoints have two axes; choose csv or mrk.json.")


def write_point_files(jobs: Sequence[Job], kinds: Collection[str]) -> list[Path]:
    """Write predictions once more, beside the JSON of each case.

    Parameters
    ----------
    jobs : sequence of Job
        Whose predictions are there, in JSON.
    kinds : collection of str
        ``"csv"``: ``points.csv``, a table of all cases; ``"coco"``:
        ``points.coco.json``, keypoints of all cases; ``"mrk.json"``: ``CASE.mrk.json``
        for 3D Slicer.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    UsageError
        If the predictions are no JSON.
    """
    if not jobs or not kinds:
        return []
    items = []
    for job in jobs:
        if job.output.name != f"{job.case.id}{ENDING}":
            raise UsageError(
                f"{job.output} is one file; for copies in other kinds give a folder."
            )
        points, geometry = read_points(job.output, None, None, job.case.id)
        image = job.case.images[0].name if job.case.images else None
        items.append(
            Item(case=job.case.id, points=points, geometry=geometry, image=image)
        )
    folder = jobs[0].output.parent
    for kind in kinds:
        if kind in OF_A_CASE:
            for item in items:
                path = folder / f"{item.case}{KINDS[kind]}"
                if item.geometry is not None:
                    write_points(path, item.points, item.geometry)
        else:
            write_file(folder / f"{ALL_POINTS}{KINDS[kind]}", items)
    return point_files(jobs, kinds)


def point_files(jobs: Sequence[Job], kinds: Collection[str]) -> list[Path]:
    """Return the files that `write_point_files` writes."""
    found = []
    for kind in kinds if jobs else ():
        each = kind in OF_A_CASE
        names = [job.case.id for job in jobs] if each else [ALL_POINTS]
        folder = jobs[0].output.parent
        found += [folder / f"{name}{KINDS[kind]}" for name in names]
    return found
