"""From a stack of planes to an array and where it is; what is tilted made straight."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.dicom.choose import choose, open_place, stacks_at
from autoseg.dicom.grid import ROUNDED
from autoseg.dicom.headers import is_inverted, open_file
from autoseg.dicom.needed import no_decoder
from autoseg.dicom.planes import Plane
from autoseg.dicom.series import Stack, axes_of, normal_of
from autoseg.errors import FormatError, some_of
from autoseg.spec.foreign.archive import Archive
from autoseg.spec.foreign.place import part_of, place_of
from autoseg.spec.image import Geometry

Array = NDArray[Any]

SERIES, TILT, STRAIGHT = "series", "tilt", "straight"


@dataclass(frozen=True, kw_only=True)
class Volume:
    """An image of a series.

    Parameters
    ----------
    array : ndarray, shape (C, *S), or None
        Values as the header scales them: integers if they are whole.
    geometry : Geometry
        In millimeters, slices in ascending order along rows times columns.
    stack : Stack
        What it was made of.
    notes : tuple of str
        What was understood, for whoever reports.
    remarks : tuple of str
        The same, where a header has to be believed for it.
    """

    array: Array | None
    geometry: Geometry
    stack: Stack
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def find_stack(path: Path) -> Stack:
    """Return the stack that a path means.

    Parameters
    ----------
    path : Path
        A file, a folder, a zip, or a part of one: ``series`` chooses, and with
        ``tilt=straight`` what is tilted is taken.

    Raises
    ------
    FormatError
        If there is none or several, or it is no image; names series and place.
    """
    asked, place = part_of(path), place_of(path)
    stack = choose(stacks_at(path), asked.get(SERIES), place)
    called = f"{place}: {stack.called()}"
    if stack.problem:
        raise FormatError(
            f"{called} {stack.problem}. It would be no true image. Get the series "
            "again, or choose another one (--series)."
        )
    if stack.tilt and asked.get(TILT) != STRAIGHT:
        first, last = stack.planes[0], stack.planes[-1]
        raise FormatError(
            f"{called} is tilted (the gantry): from {first.name} to {last.name} each "
            f"slice lies {stack.tilt:.3g} degrees beside the one before, so its axes "
            "are not square. Straighten it by interpolation with --straighten (in "
            f'dataset.json "dicom": {{"tilt": "{STRAIGHT}"}}), or choose another '
            "series (--series)."
        )
    return stack


def read_volume(path: Path, voxels: bool = True) -> Volume:
    """Read an image.

    Parameters
    ----------
    path : Path
        See `find_stack`.
    voxels : bool
        False: only where it is.

    Raises
    ------
    FormatError
        See `find_stack`; or if no decoder for its voxels is installed.
    """
    stack = find_stack(path)
    notes = _notes(stack)
    geometry = geometry_of(stack)
    array = None
    if voxels:
        with open_place(place_of(path)) as archive:
            array = _values(archive, stack)
        if not _is_flat(stack):
            array = np.moveaxis(array, 1, 0) if array.ndim == 4 else array[None]
        else:
            array = array[0] if array.ndim == 4 else array
    if stack.tilt:
        shift = in_plane_shift(stack)
        geometry, before = straight_grid(stack, geometry, shift)
        notes += (f"it was tilted by {stack.tilt:.3g} degrees, and is straightened",)
        if array is not None:
            array = _straightened(array, shift, before, geometry.shape)
    return Volume(
        array=array,
        geometry=geometry,
        stack=stack,
        notes=notes,
        remarks=_remarks(stack),
    )


def _is_flat(stack: Stack) -> bool:
    """Return whether a stack is one picture that lies nowhere in the patient."""
    return not stack.placed and len(stack.planes) == 1


def _notes(stack: Stack) -> tuple[str, ...]:
    notes = []
    if stack.header.inverted:
        notes.append("its small values are bright (MONOCHROME1), and were turned")
    if stack.placed and len(stack.planes) == 1:
        text = "its series has one slice"
        if not stack.planes[0].distances:
            text += ", and does not say how thick it is: 1 mm is taken"
        notes.append(text)
    if stack.header.slices > len(stack.planes):
        notes.append(
            f"it has {len(stack.planes)} of the {stack.header.slices} slices that its "
            "header tells of"
        )
    if stack.rounded and not stack.distance_of:
        notes.append(
            f"the places of its slices are rounded to {stack.rounded:.3g} mm along the "
            f"normal; their mean distance is taken, {np.linalg.norm(stack.step):.4g} mm"
        )
    scales = {(plane.slope, plane.intercept) for plane in stack.planes}
    if stack.header.modality == "CT" and len(scales) > 1:
        pairs = [f"{slope:g}, {more:g}" for slope, more in sorted(scales)]
        listed = some_of(pairs, between="; ")
        notes.append(
            "its slices have several slopes and intercepts, and each is read by its "
            f"own: {listed}"
        )
    return tuple(notes)


def _remarks(stack: Stack) -> tuple[str, ...]:
    if not stack.distance_of:
        return ()
    return (
        f"the places of its slices are rounded to {stack.rounded:.3g} mm along the "
        f"normal, too coarse to say how far they are apart; {stack.distance_of} says "
        f"{np.linalg.norm(stack.step):.4g} mm, which agrees with all of them and is "
        "taken",
    )


def geometry_of(stack: Stack) -> Geometry:
    """Return where the voxels of a stack are, tilted or not."""
    plane = stack.planes[0]
    rows, columns = stack.header.shape
    if not stack.placed:
        if plane.spacing is None:
            return Geometry(
                shape=(rows, columns), spacing=(1.0, 1.0), unit="px", oriented=False
            )
        return Geometry(shape=(rows, columns), spacing=plane.spacing, oriented=False)
    row, column = axes_of(plane)
    normal = normal_of(plane)
    rise = float(np.dot(stack.step, normal))
    direction = np.stack([row, column, normal], axis=1)
    down, across = plane.spacing or (1.0, 1.0)
    return Geometry(
        shape=(len(stack.planes), rows, columns),
        spacing=(rise, down, across),
        origin=tuple(plane.position or ()),
        direction=tuple(direction.ravel().tolist()),
        header={ROUNDED: stack.rounded} if stack.rounded else {},
    )


def _values(archive: Archive, stack: Stack) -> Array:
    """Return the values of all planes, (Z, Y, X) or (Z, C, Y, X)."""
    by_file: dict[str, list[tuple[int, Plane]]] = defaultdict(list)
    for place, plane in enumerate(stack.planes):
        by_file[plane.name].append((place, plane))
    whole = all(
        float(number).is_integer() and abs(number) < 2**15
        for plane in stack.planes
        for number in (plane.slope, plane.intercept)
    )
    found: Array | None = None
    for name, planes in by_file.items():
        frames = _frames(archive, name, stack)
        for place, plane in planes:
            if plane.frame >= len(frames):
                raise FormatError(
                    f"{archive.where(name)} is cut off: frame {plane.frame + 1} is not "
                    "there. Get it again."
                )
            values = frames[plane.frame]
            if plane.slope != 1 or plane.intercept != 0:
                kind: type = np.int64 if whole and values.dtype.kind in "iub" else float
                values = values.astype(kind) * kind(plane.slope) + kind(plane.intercept)
            if found is None:
                exact = whole and values.dtype.kind in "iub"
                dtype = np.int32 if exact else np.float32
                found = np.zeros((len(stack.planes), *values.shape), dtype)
            if values.shape != found.shape[1:]:
                raise FormatError(
                    f"{archive.where(name)} has the shape {values.shape}, others of "
                    f"its series {found.shape[1:]}. Get the series again."
                )
            found[place] = values
    if found is None:
        raise FormatError(f"{archive.path} has no plane. Correct the path.")
    return found


def _frames(archive: Archive, name: str, stack: Stack) -> Array:
    """Return the stored numbers of a file, (N, Y, X) or (N, C, Y, X)."""
    where = archive.where(name)
    data = open_file(archive, name)
    if data is None or "PixelData" not in data and "FloatPixelData" not in data:
        raise FormatError(f"{where} has no voxels. Get it again.")
    frames = int(data.get("NumberOfFrames") or 1)
    syntax = getattr(data.file_meta, "TransferSyntaxUID", None)
    if syntax is None:
        from pydicom.uid import ImplicitVRLittleEndian

        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    try:
        stored = np.asarray(data.pixel_array)
        if data.PhotometricInterpretation == "PALETTE COLOR":
            from pydicom.pixels.processing import apply_color_lut

            stored = (apply_color_lut(stored, data) >> 8).astype(np.uint8)
        elif "ModalityLUTSequence" in data:
            from pydicom.pixels.processing import apply_modality_lut

            stored = np.asarray(apply_modality_lut(stored, data))
    except (RuntimeError, NotImplementedError) as error:
        if syntax is not None and syntax.is_transfer_syntax and syntax.is_compressed:
            raise no_decoder(where, syntax, error) from None
        raise _damaged(where, error) from None
    except Exception as error:  # whatever pydicom raises on damaged voxels
        raise _damaged(where, error) from None
    if is_inverted(data):
        bits = int(data.BitsStored)
        signed = int(data.get("PixelRepresentation") or 0)
        stored = (-1 if signed else (1 << bits) - 1) - stored.astype(np.int64)
    if frames == 1 and stored.ndim in (2, 3):
        stored = stored[None]
    return np.moveaxis(stored, -1, 1) if stored.ndim == 4 else stored


def _damaged(where: str, error: Exception) -> FormatError:
    said = str(error).strip().splitlines()
    return FormatError(
        f"{where} has voxels that cannot be read ({said[0] if said else error}). Get "
        "it again."
    )


def in_plane_shift(stack: Stack) -> tuple[float, float]:
    """Return how many voxels a slice is shifted to the one before, down and across."""
    row, column = axes_of(stack.planes[0])
    down, across = stack.planes[0].spacing or (1.0, 1.0)
    step = np.asarray(stack.step)
    return float(step @ column) / down, float(step @ row) / across


def straight_grid(
    stack: Stack, tilted: Geometry, shift: tuple[float, float]
) -> tuple[Geometry, tuple[int, int]]:
    """Return a grid with square axes that holds all slices, and what it adds before."""
    last = len(stack.planes) - 1
    ends = [(min(0.0, s * last), max(0.0, s * last)) for s in shift]
    before = tuple(int(np.ceil(-low - 1e-9)) for low, _ in ends)
    after = [int(np.ceil(high - 1e-9)) for _, high in ends]
    direction = np.reshape(tilted.direction, (3, 3))
    origin = np.asarray(tilted.origin)
    origin = origin - direction[:, 1] * before[0] * tilted.spacing[1]
    origin = origin - direction[:, 0] * before[1] * tilted.spacing[2]
    shape = (
        tilted.shape[0],
        tilted.shape[1] + before[0] + after[0],
        tilted.shape[2] + before[1] + after[1],
    )
    straight = Geometry(
        shape=shape,
        spacing=tilted.spacing,
        origin=tuple(origin.tolist()),
        direction=tilted.direction,
    )
    return straight, (before[0], before[1])


def _straightened(
    array: Array,
    shift: tuple[float, float],
    before: tuple[int, int],
    shape: tuple[int, ...],
) -> Array:
    """Return slices moved to where they are; what is outside is the least value."""
    from scipy.ndimage import shift as moved

    out = np.full((len(array), *shape), array.min(), np.float32)
    rows, columns = array.shape[-2:]
    for channel, volume in enumerate(array):
        for number, plane in enumerate(volume):
            padded = np.full(shape[1:], array.min(), np.float32)
            padded[before[0] : before[0] + rows, before[1] : before[1] + columns] = (
                plane
            )
            by = tuple(s * number for s in shift)
            out[channel, number] = moved(
                padded, by, order=1, mode="constant", cval=float(array.min())
            )
    return out
