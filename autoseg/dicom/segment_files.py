"""Label maps as binary DICOM segmentations beside the series they were made of.

highdicom takes patient and study from the series, and refers to its files; frames come
in the order of the series' instances.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.atomic import atomically
from autoseg.dicom.made import (
    LONG,
    SERIES_NUMBER,
    SHORT,
    Maker,
    Segment,
    as_planes,
    sources_of,
)
from autoseg.dicom.needed import need_highdicom
from autoseg.dicom.series import Stack, normal_of
from autoseg.dicom.voxels import find_stack
from autoseg.errors import FormatError
from autoseg.spec.foreign.looks import Code
from autoseg.spec.foreign.place import place_of

Array = NDArray[Any]

LOCAL = "99AUTOSEG"  # scheme of codes that nobody gave


def write_segmentation(
    path: Path, labels: Array, source: Path, segments: Sequence[Segment], maker: Maker
) -> None:
    """Write a label map as a binary DICOM segmentation, atomically.

    Parameters
    ----------
    path : Path
        The file.
    labels : ndarray of int, shape S
        On the grid of the image.
    source : Path
        The series that it was made of.
    segments : sequence of Segment
        All classes; those that are nowhere are named, too.
    maker : Maker
        What made it.

    Raises
    ------
    FormatError
        If the series is none any more, or cannot have a segmentation.
    """
    highdicom = need_highdicom(source)
    stack = find_stack(source)
    numbers = _numbered(as_planes(labels, stack), segments)
    files, order = sources_of(source, stack)
    asked = _places(highdicom, stack, files, order)
    found = _made(highdicom, source, files, numbers[order], segments, maker, asked)
    _complete(stack, found)
    _in_order_of(stack, order, found)
    with atomically(path) as temporary:
        found.save_as(temporary)


def _numbered(planes: Array, segments: Sequence[Segment]) -> Array:
    kind = np.uint8 if len(segments) < 256 else np.uint16
    numbers = np.zeros(planes.shape, kind)
    for number, segment in enumerate(segments, 1):
        numbers[planes == segment.value] = number
    return numbers


def _made(
    highdicom: Any,
    source: Path,
    files: list[Any],
    numbers: Array,
    segments: Sequence[Segment],
    maker: Maker,
    asked: dict[str, Any],
) -> Any:
    """Let highdicom make a segmentation; numbers are those of segments."""
    try:
        with warnings.catch_warnings():  # about names of patients, and the like
            warnings.simplefilter("ignore")
            return highdicom.seg.Segmentation(
                source_images=files,
                pixel_array=numbers,
                segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
                segment_descriptions=[
                    _described(highdicom, number, segment, maker)
                    for number, segment in enumerate(segments, 1)
                ],
                series_instance_uid=highdicom.UID(),
                series_number=SERIES_NUMBER,
                sop_instance_uid=highdicom.UID(),
                instance_number=1,
                manufacturer=maker.manufacturer[:LONG],
                manufacturer_model_name=maker.model[:LONG],
                software_versions=maker.version[:LONG],
                device_serial_number=maker.serial[:LONG],
                omit_empty_frames=bool(numbers.any()),
                content_label="SEGMENTATION",
                content_description=maker.algorithm[:LONG],
                series_description=f"{maker.algorithm[:56]} SEG",
                **asked,
            )
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise FormatError(
            f"{place_of(source)}: no segmentation can be written for it ({error}). "
            "Write --output-type nifti."
        ) from None


def _places(
    highdicom: Any, stack: Stack, files: Sequence[Any], order: Sequence[int]
) -> dict[str, Any]:
    """Return where frames are, if they are a part of a file's frames only."""
    plane = stack.planes[0]
    frames = int(files[0].get("NumberOfFrames") or 1)
    if len(files) > 1 or frames in (1, len(stack.planes)):
        return {}
    return {
        "plane_positions": [
            highdicom.PlanePositionSequence("PATIENT", stack.planes[z].position)
            for z in order
        ],
        "plane_orientation": highdicom.PlaneOrientationSequence(
            "PATIENT", plane.orientation
        ),
        "pixel_measures": highdicom.PixelMeasuresSequence(
            pixel_spacing=plane.spacing, slice_thickness=_rise(stack)
        ),
    }


def _rise(stack: Stack) -> float:
    return float(np.dot(stack.step, normal_of(stack.planes[0])))


def _complete(stack: Stack, found: Any) -> None:
    """Write the distance of slices where the source does not have it."""
    for group in found.SharedFunctionalGroupsSequence:
        for measures in group.get("PixelMeasuresSequence") or ():
            if stack.placed:
                measures.SpacingBetweenSlices = _rise(stack)
                if not measures.get("SliceThickness"):
                    measures.SliceThickness = _rise(stack)


def _in_order_of(source: Stack, order: Sequence[int], found: Any) -> None:
    """Bring the frames of a binary segmentation into the order of its source.

    highdicom sorts them by place, whichever way the series runs; viewers that take the
    frames of a segmentation one by one then show it upside down.
    """
    if not source.placed:
        return
    frames = list(found.PerFrameFunctionalGroupsSequence)
    places = np.array([source.planes[z].position for z in order])
    ranks, segments = [], []
    for frame in frames:
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        ranks.append(
            int(np.linalg.norm(places - np.asarray(place, float), axis=1).argmin())
        )
        segments.append(_segment_of(frame, found))
    wanted = sorted(range(len(frames)), key=lambda n: (segments[n], ranks[n]))
    count = len(frames), int(found.Rows) * int(found.Columns)
    bits = np.unpackbits(np.frombuffer(found.PixelData, np.uint8), bitorder="little")
    turned = bits[: count[0] * count[1]].reshape(count)[wanted]
    packed = np.packbits(turned.ravel(), bitorder="little").tobytes()
    found.PixelData = packed + b"\0" * (len(packed) % 2)
    number = {rank: place for place, rank in enumerate(sorted(set(ranks)), 1)}
    for n, frame in enumerate(frames):
        said = frame.FrameContentSequence[0]
        said.DimensionIndexValues = [*said.DimensionIndexValues[:-1], number[ranks[n]]]
    found.PerFrameFunctionalGroupsSequence = [frames[n] for n in wanted]


def _segment_of(frame: Any, found: Any) -> int:
    """Return the segment of a frame; where all are of one, that is said once."""
    for groups in (frame, *found.SharedFunctionalGroupsSequence):
        for said in groups.get("SegmentIdentificationSequence") or ():
            return int(said.ReferencedSegmentNumber)
    raise FormatError("a frame of the segmentation is of no segment.")


def _described(highdicom: Any, number: int, segment: Segment, maker: Maker) -> Any:
    from highdicom.color import CIELabColor
    from pydicom.sr.codedict import codes

    look = segment.look
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=segment.name[:LONG],
        segmented_property_category=_coded(highdicom, look.category),
        segmented_property_type=_coded(
            highdicom, look.kind or (LOCAL, segment.name[:SHORT], segment.name[:LONG])
        ),
        algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=highdicom.AlgorithmIdentificationSequence(
            name=maker.algorithm[:LONG],
            version=maker.version[:LONG],
            family=codes.cid7162.ArtificialIntelligence,
        ),
        anatomic_regions=(
            None if look.region is None else [_coded(highdicom, look.region)]
        ),
        display_color=CIELabColor.from_rgb(*look.color),
    )


def _coded(highdicom: Any, code: Code) -> Any:
    scheme, value, meaning = code
    return highdicom.sr.CodedConcept(
        value=value, scheme_designator=scheme[:SHORT], meaning=meaning[:LONG]
    )
