"""Kinds of files that label maps become: NIfTI, DICOM segmentations and contours."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autoseg import __version__
from autoseg.datasets.layouts.names import place_in_data_set
from autoseg.datasets.series.choice import KEY, is_bundle
from autoseg.dicom.headers import ENDINGS
from autoseg.dicom.made import Maker, Segment
from autoseg.errors import FormatError, UsageError
from autoseg.instancefiles.geojson import write_regions
from autoseg.model.model import Model
from autoseg.predict.job import Job
from autoseg.spec.dataset import Case
from autoseg.spec.foreign.looks import looks_of
from autoseg.spec.foreign.place import place_of
from autoseg.spec.image import Geometry
from autoseg.spec.points import Points
from autoseg.tasks.base import Task

Array = NDArray[Any]

NIFTI, SEG, RTSTRUCT = "nifti", "dicom-seg", "rtstruct"
GEOJSON, BIDS = "geojson", "bids"
TYPES = {
    BIDS: "_desc-autoseg_dseg.nii.gz",
    NIFTI: ".nii.gz",
    SEG: "_seg.dcm",
    RTSTRUCT: "_rtstruct.dcm",
    GEOJSON: ".geojson",
}
"""How files of a case end, by kind; the first that is asked for is the prediction, but
outlines are beside one."""


def main_type(types: Collection[str]) -> str | None:
    """Return the kind of the file that is the prediction itself; None: as trained.

    Raises
    ------
    UsageError
        If there is no such kind.
    """
    wrong = [name for name in types if name not in TYPES]
    if wrong:
        raise UsageError(
            f"There is no type of output {wrong[0]!r}; give {', '.join(TYPES)}."
        )
    return next((name for name in TYPES if name in types and name != GEOJSON), None)


def output_of(case: Case, folder: Path, kind: str) -> Path:
    """Return the file of a prediction in a folder; derivatives of BIDS in their own.

    Raises
    ------
    UsageError
        If BIDS is asked for of what has no name of it.
    """
    if kind == BIDS:
        place = place_in_data_set(case.images[0])
        if place == Path():
            raise UsageError(
                f"{case.images[0]} is in no BIDS data set (no folder sub-...), so "
                "--output-type bids has no place for it. Give nifti."
            )
        folder = folder / place
    return folder / f"{case.id}{TYPES[kind]}"


def root_of(job: Job) -> Path:
    """Return the folder that predictions of BIDS are written to."""
    up = len(place_in_data_set(job.case.images[0]).parts)
    return job.output.parents[up]


def files_of_types(job: Job, types: Collection[str]) -> dict[str, Path]:
    """Return the file of each kind, that of the prediction first."""
    main = main_type(types)
    return {
        name: job.output
        if name == main
        else job.output.with_name(f"{job.case.id}{ending}")
        for name, ending in TYPES.items()
        if name in types
    }


def needs_series(types: Collection[str]) -> bool:
    """Return whether files refer to a DICOM series."""
    return any(name in types for name in (SEG, RTSTRUCT))


def is_series(path: Path) -> bool:
    """Return whether an image is DICOM."""
    return is_bundle(path) or path.name.lower().endswith(ENDINGS)


def write_types(
    labels: Array, job: Job, types: Collection[str], model: Model, task: Task
) -> None:
    """Write the files of a prediction that are no label maps.

    Parameters
    ----------
    labels : ndarray of int, shape S
        Values as in files.
    job : Job
        The case, with its series.
    types : collection of str
        Kinds that are asked for; NIfTI is somebody else's.
    model : Model
        Says who made it, with names, colors and codes of its dataset.json.
    task : Task
        Names values.
    """
    names = task.value_names
    looks = looks_of(names.values(), model.dataset)
    segments = [
        Segment(value=value, name=name, look=looks[name])
        for value, name in names.items()
    ]
    source, maker = job.case.images[0], maker_of(model)
    for name, path in files_of_types(job, types).items():
        if name == SEG:
            from autoseg.dicom.segment_files import write_segmentation

            write_segmentation(path, labels, source, segments, maker)
        elif name == RTSTRUCT:
            from autoseg.dicom.structure_files import write_structures

            write_structures(path, labels, source, segments, maker)
        elif name == GEOJSON:
            colors = {segment.name: segment.look.color for segment in segments}
            write_regions(path, labels, names, colors)


def write_points_of_series(
    points: Points, geometry: Geometry, job: Job, model: Model
) -> None:
    """Write landmarks as points of a DICOM structure set, beside their prediction.

    Parameters
    ----------
    points : Points
        In voxels of the image.
    geometry : Geometry
        Of the image.
    job : Job
        The case, with its series.
    model : Model
        Says who found them, with colors and codes of its dataset.json.
    """
    from autoseg.dicom.grid import to_world
    from autoseg.dicom.structure_files import Landmark, write_landmarks

    source = job.case.images[0]
    if geometry.dim != 3:
        raise FormatError(
            f"{place_of(source)} is a picture without a place in the patient, so there "
            "is no place for points. The .json has them; leave --output-type out."
        )
    places = to_world(points.coordinates, geometry)
    looks = looks_of(points.names, model.dataset)
    score = points.details.get("score")
    landmarks = [
        Landmark(
            segment=Segment(value=number, name=name, look=looks[name]),
            place=_three(places[number]) if points.present[number] else None,
            note="" if score is None else f"score {score[number]:.3f}",
        )
        for number, name in enumerate(points.names)
    ]
    path = job.output.with_name(f"{job.case.id}{TYPES[RTSTRUCT]}")
    write_landmarks(path, landmarks, source, maker_of(model))


def _three(place: NDArray[Any]) -> tuple[float, float, float]:
    x, y, z = map(float, place)
    return x, y, z


def maker_of(model: Model) -> Maker:
    """Return what made predictions, for those who get them.

    Parameters
    ----------
    model : Model
        Its dataset.json may name manufacturer and model in ``dicom``.
    """
    from autoseg.datasets.identity import short_hash

    said = model.dataset.get(KEY)
    given = said if isinstance(said, dict) else {}
    name = f"{model.plan.dataset} {model.configuration}"
    folds = ",".join(str(fold) for fold in model.folds)
    mark = json.dumps([name, folds, dict(model.dataset)], sort_keys=True, default=str)
    return Maker(
        algorithm=str(given.get("algorithm", f"autoseg {name}")),
        version=__version__,
        manufacturer=str(given.get("manufacturer", "autoseg")),
        model=str(given.get("model", name)),
        serial=str(given.get("serial_number", short_hash(mark))),
    )
