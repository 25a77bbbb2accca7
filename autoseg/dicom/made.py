"""What predictions in DICOM have in common: classes, makers, planes and sources."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.dicom.choose import open_place
from autoseg.dicom.headers import open_file
from autoseg.dicom.series import Stack
from autoseg.dicom.voxels import geometry_of, in_plane_shift, straight_grid
from autoseg.errors import FormatError
from autoseg.spec.foreign.looks import Look
from autoseg.spec.foreign.place import place_of

Array = NDArray[Any]

SERIES_NUMBER = 9000  # far behind those of scanners
EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID"),
    *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"),
    *("PositionReferenceIndicator",),
)
SHORT, LONG = 16, 64  # letters of DICOM's short and long strings


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One class of a prediction.

    Parameters
    ----------
    value : int
        In the label map.
    name : str
        What it is called.
    look : Look
        Color and codes.
    """

    value: int
    name: str
    look: Look


@dataclass(frozen=True, kw_only=True)
class Maker:
    """What made a prediction.

    Parameters
    ----------
    algorithm, version : str
        Name of the model and version of the software.
    manufacturer, model, serial : str
        As equipment is called in DICOM.
    """

    algorithm: str
    version: str
    manufacturer: str
    model: str
    serial: str


def as_planes(labels: Array, stack: Stack) -> Array:
    """Return a label map on the planes of its series, (Z, Y, X), also tilted ones."""
    array = np.asarray(labels)
    array = array[None] if array.ndim == 2 else array
    shape = (len(stack.planes), *stack.header.shape)
    if not stack.tilt:
        if array.shape != shape:
            raise FormatError(
                f"a prediction of shape {array.shape} is no longer on the grid {shape} "
                f"of {stack.called()}. Predict again."
            )
        return array
    shift = in_plane_shift(stack)
    _, before = straight_grid(stack, geometry_of(stack), shift)
    found = np.zeros(shape, array.dtype)
    for number in range(shape[0]):
        at = [
            np.clip(
                np.round(np.arange(size) + first + by * number).astype(int), 0, most - 1
            )
            for size, first, by, most in zip(
                shape[1:], before, shift, array.shape[1:], strict=True
            )
        ]
        found[number] = array[number][np.ix_(*at)]
    return found


def sources_of(source: Path, stack: Stack) -> tuple[list[Any], list[int]]:
    """Return the files of a stack by instance number, and its planes in that order."""
    order = sorted(
        range(len(stack.planes)),
        key=lambda z: (stack.planes[z].number, stack.planes[z].frame),
    )
    names = dict.fromkeys(stack.planes[z].name for z in order)
    with open_place(place_of(source)) as archive:
        files = [open_file(archive, name, voxels=False) for name in names]
    for file in files:  # what has to be there, and may be empty
        for key in EMPTY:
            if key not in file:
                setattr(file, key, "")
    return files, order
