"""Segmentations and contours of DICOM as label maps on the grid of an image.

Which structures become which values, names say. Two of them at one voxel are told, and
what has no name that is known is left out and told, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.dicom.choose import open_place
from autoseg.dicom.contours import Contours
from autoseg.dicom.drawing import Drawing
from autoseg.dicom.grid import inside
from autoseg.dicom.headers import (
    SEGMENTATIONS,
    STRUCTURES,
    Header,
    open_file,
    read_headers,
)
from autoseg.dicom.segmentation import Segmentation
from autoseg.errors import FormatError, printable, some_of
from autoseg.spec.foreign.archive import Archive
from autoseg.spec.foreign.place import place_of
from autoseg.spec.image import Geometry

Array = NDArray[Any]

WORDS = re.compile(r"[\W_]+")


@dataclass(kw_only=True)
class Painted:
    """A label map that structures made.

    Parameters
    ----------
    labels : ndarray of int32, shape S
        Values; 0 is nothing.
    geometry : Geometry
        Of it.
    notes, remarks : list of str
        What was understood, and what is odd.
    """

    labels: Array
    geometry: Geometry
    notes: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def open_drawings(path: Path) -> list[Drawing]:
    """Open the segmentations and structure sets in a file, a folder or a zip.

    Raises
    ------
    FormatError
        If there is none.
    """
    place = place_of(path)
    with open_place(place) as archive:
        names = None if archive.is_zip or place.is_dir() else [place.name]
        headers = list(read_headers(archive, names))
        found = [drawing for h in headers for drawing in _opened(archive, h)]
    if not found:
        kinds = sorted({header.modality or header.sop_class for header in headers})
        raise FormatError(
            f"{path} holds no DICOM segmentation (SEG) and no structure set (RTSTRUCT)"
            f"{'; it is ' + ', '.join(kinds) if kinds else ''}. Correct the path."
        )
    return found


def _opened(archive: Archive, header: Header) -> Iterator[Drawing]:
    if header.sop_class not in (*SEGMENTATIONS, STRUCTURES):
        return
    kind: Any = Contours if header.sop_class == STRUCTURES else Segmentation
    where = archive.where(header.name)
    try:
        yield kind(open_file(archive, header.name), where)
    except FormatError:
        raise
    except Exception as error:  # whatever lacks in a file, or is of another type
        raise FormatError(
            f"{where} is damaged ({printable(str(error))[:200]}). Get it again."
        ) from None


def plain(name: str) -> str:
    """Return a name without what people write in several ways."""
    return WORDS.sub("", name.casefold())


def values_by_name(
    drawings: Sequence[Drawing],
    labels: Mapping[str, int],
    aliases: Mapping[str, str],
    where: Path,
) -> tuple[dict[tuple[int, int], int], list[str]]:
    """Return the value of each structure, and those that no label names.

    Parameters
    ----------
    drawings : sequence of Drawing
        What was opened.
    labels : mapping of str to int
        Values of dataset.json, the background left out.
    aliases : mapping of str to str
        Names in files, with the label that is meant.
    where : Path
        For the message.

    Returns
    -------
    values : dict
        By number of the drawing and number of the structure.
    others : list of str
        Names that are of no label.

    Raises
    ------
    FormatError
        If no structure has the name of a label.
    """
    known = {plain(name): value for name, value in labels.items()}
    renamed = {plain(name): plain(label) for name, label in aliases.items()}
    values: dict[tuple[int, int], int] = {}
    others = []
    for number, drawing in enumerate(drawings):
        for structure in drawing.structures:
            names = [plain(name) for name in (structure.name, *structure.also)]
            meant = [renamed.get(name, name) for name in names]
            value = next((known[name] for name in meant if name in known), None)
            if value is None:
                others.append(structure.name)
            else:
                values[number, structure.number] = value
    if others and not values:
        raise FormatError(
            f"{where} has the structures {some_of(others)}, and dataset.json has the "
            f"labels {some_of(list(labels))}: no name is in both. Say which is which: "
            f'"dicom": {{"segments": {{"{others[0]}": "{next(iter(labels), "label")}"'
            "}}."
        )
    return values, others


def paint(
    drawings: Sequence[Drawing],
    values: Mapping[tuple[int, int], int],
    geometry: Geometry,
) -> Painted:
    """Paint structures on a grid, larger values over smaller ones.

    Parameters
    ----------
    drawings : sequence of Drawing
        What was opened.
    values : mapping
        See `values_by_name`.
    geometry : Geometry
        Of the image.

    Returns
    -------
    Painted
        The map, and what is odd: overlaps, and what lies beside the image.

    Raises
    ------
    FormatError
        If structures lie on another grid.
    """
    labels = np.zeros(geometry.shape, np.int32)
    overlap = beside = 0
    for (number, structure), value in sorted(values.items(), key=lambda e: e[1]):
        mask = np.zeros(geometry.shape, bool)
        for places, turned in drawings[number].voxels(structure, geometry):
            kept = inside(places, geometry.shape)
            beside += int((~kept).sum())
            at = tuple(along[kept] for along in places)
            mask[at] = ~mask[at] if turned else True
        overlap += int(((labels != 0) & (labels != value) & mask).sum())
        labels[mask] = value
    remarks = []
    if overlap:
        remarks.append(
            f"{overlap} voxels are in several of its structures; the larger value of "
            "dataset.json counts there"
        )
    if beside:
        remarks.append(f"{beside} of its voxels lie beside the image, and are left out")
    return Painted(labels=labels, geometry=geometry, remarks=remarks)


def read_alone(path: Path) -> tuple[Array, Geometry]:
    """Read structures by their numbers, on a grid of their own.

    Raises
    ------
    FormatError
        If there are none, or contours, which need an image.
    """
    drawings = open_drawings(path)
    grid = drawings[0].grid()
    if grid is None or len(drawings) > 1:
        raise FormatError(
            f"{path} has contours, or several files of structures; they can be read "
            "with the image that they were drawn on. Put that beside them."
        )
    values = {(0, one.number): one.number for one in drawings[0].structures}
    painted = paint(drawings, values, grid)
    return painted.labels, painted.geometry


def check_origin(
    drawings: Sequence[Drawing], header: Header, image: Path, where: Path
) -> list[str]:
    """Return notes about what structures were drawn on, by UIDs.

    Parameters
    ----------
    drawings : sequence of Drawing
        What was opened.
    header : Header
        Of the image's series.
    image, where : Path
        The image and the file of structures, for messages.

    Raises
    ------
    FormatError
        If they are in another frame of reference, or on another series with another
        one or none.
    """
    notes = []
    for drawing in drawings:
        frames = drawing.frame_of_reference, header.frame_of_reference
        same_frame = bool(frames[0]) and frames[0] == frames[1]
        if all(frames) and not same_frame:
            raise FormatError(
                f"{where} was drawn in the frame of reference {frames[0]}, and {image} "
                f"is in {frames[1]}: they are of other scans. Correct which belong "
                "together."
            )
        if drawing.series and header.series and drawing.series != header.series:
            if not same_frame:
                raise FormatError(
                    f"{where} was drawn on the series {drawing.series}, and {image} is "
                    f"the series {header.series}. Correct which belong together."
                )
            notes.append(
                f"it was drawn on another series of the same frame of reference, "
                f"{drawing.series}"
            )
    return notes
