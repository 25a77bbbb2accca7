"""What all formats do to arrays between a file and the rest of autoseg."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from autoseg.errors import FormatError
from autoseg.geometry.mapped import in_rows, is_mapped
from autoseg.spec.arrays.windowed import Windowed, pieces, windowed

Array = NDArray[Any]
INTEGERS = (np.uint8, np.uint16, np.int16, np.int32, np.uint32, np.int64, np.uint64)
ROUNDING = 1e-6  # relative: of a slope and a product in float32
LARGEST_ROUNDING = 1e-2
RESAMPLED = "Save whole numbers, and resample annotations by nearest neighbor."
COLORS = (("red", "green", "blue"), ("r", "g", "b"), ("rgb_to_0_1",) * 3)


def fit_channels(
    array: Array,
    channels: int | None,
    path: Path,
    names: Sequence[str] = (),
    picture: bool = True,
) -> Array:
    """Bring a picture's channels to the number that is expected, without loss.

    Gray that was saved as color becomes one channel, and so does a picture in one color
    alone; an opaque alpha channel goes, and gray between color pictures is repeated;
    anything else must fit. What is no picture
    is left as it is: the channels of a scan are not copies of each other.

    Parameters
    ----------
    array : ndarray, shape (C, *S)
        As in the file.
    channels : int or None
        How many are expected; None takes what is there.
    path : Path
        The file, for the message.
    names : sequence of str
        Of the channels, if they are known. Red, green and blue make a picture of any
        file; others keep a file that is one of several from being repeated.
    picture : bool
        Whether the file itself is a picture.

    Returns
    -------
    ndarray, shape (channels, *S)
        The same values.

    Raises
    ------
    FormatError
        If channels would have to be thrown away or made up.
    """
    if channels is None or len(array) == channels:
        return array
    colors = are_colors(names)
    kept = array
    if picture or colors:
        if len(kept) in (2, 4) and _is_opaque(kept[-1]):
            kept = kept[:-1]
        if channels == 1 and len(kept) > 1 and all(_same(c, kept[0]) for c in kept[1:]):
            kept = kept[:1]
        if channels == 1 and len(kept) == 3:
            kept = _only_color(kept)
        alone = not names or _numbered(path) is None
        if channels == 3 and len(kept) == 1 and (colors or alone):
            kept = np.repeat(kept, 3, axis=0)
    if len(kept) != channels:
        listed = f" ({', '.join(names)})" if names else ""
        raise FormatError(
            f"{path} holds {len(array)} channels where {channels} "
            f"{'is' if channels == 1 else 'are'} expected{listed}. "
            f"{_cure(array, channels, path, names)}"
        )
    return kept


def are_colors(names: Sequence[str]) -> bool:
    """Return whether names of channels are those of a picture's colors, any case.

    Examples
    --------
    >>> are_colors(("Red", "Green", "Blue")), are_colors(("T1", "T2", "FLAIR"))
    (True, False)
    """
    words = [name.strip().lower() for name in names]
    return any(words == list(colors) for colors in COLORS)


def _cure(array: Array, channels: int, path: Path, names: Sequence[str]) -> str:
    """Return what to do about a file with too few or too many channels."""
    found = _numbered(path)
    if len(array) == 1 and found is not None and channels > 1:
        before, number, ending = found
        missing = [
            f"{before}_{i:04d}{ending}" + (f" ({names[i]})" if names else "")
            for i in range(channels)
            if i != number
        ]
        return (
            f"One file for each channel is needed: put {', '.join(missing)} beside "
            "it, or correct `channel_names` of dataset.json."
        )
    if len(array) == 1 and channels > 1:
        return (
            "Give one file for each channel, named CASE_0000, CASE_0001 and so on, or "
            "one that holds them all."
        )
    if channels == 1:
        what = f"that shows {names[0]}" if names else "that counts"
        return (
            f"Save the one {what} alone, as a gray picture; to learn from all of them, "
            "name each in `channel_names` of dataset.json."
        )
    return "Name each of them in `channel_names` of dataset.json, or correct the file."


def _numbered(path: Path) -> tuple[str, int, str] | None:
    """Return what is before a channel's number in a file's name, it, and the ending."""
    found = re.fullmatch(r"(.+)_(\d{4})((?:\.\w+)+)", path.name)
    return (found[1], int(found[2]), found[3]) if found else None


def as_integers(
    array: Array,
    path: Path,
    picture: bool = True,
    scaling: Callable[[Path], str] = lambda path: "",
) -> Array:
    """Return a file's array as labels.

    Parameters
    ----------
    array : ndarray, shape (C, *S)
        As in the file.
    path : Path
        The file, for the message.
    picture : bool
        Whether the file is a picture: gray saved as color, and an opaque alpha
        channel, are an annotation there, while layers of a volume are not.
    scaling : function
        From the file to what to do about values that its header scales; empty if it
        does not.

    Returns
    -------
    ndarray of integers, shape S
        Integers in the file's own type, whole numbers in the smallest that holds them.

    Raises
    ------
    FormatError
        If channels differ, or values are not whole.
    """
    if picture and len(array) in (2, 4) and _is_opaque(array[-1]):
        array = array[:-1]
    labels = array[0]
    if len(array) > 1 and not picture:
        raise FormatError(
            f"{path} holds {len(array)} channels, but an annotation is one number for "
            "each voxel. Save the one layer that counts, or number the classes in one."
        )
    if any(not _same(other, labels) for other in array[1:]):
        raise FormatError(
            f"{path} holds {len(array)} channels that differ, but an annotation is one "
            "gray value for each class or object. Save these numbers instead of colors "
            "or layers."
        )
    if labels.dtype.kind == "b":
        result: Array = labels.astype(np.uint8)
        return result
    if labels.dtype.kind in "iu":
        native = labels.astype(labels.dtype.newbyteorder("="), copy=False)
        result = native if native.flags.writeable else native.copy()
        return result
    if labels.dtype.kind != "f":
        raise FormatError(f"{path} holds {labels.dtype}, not whole numbers.")
    whole = np.rint(labels)
    wrong = ~(labels == whole)  # what is not a number, too
    if wrong.any():
        # Scaled by a header, 3 may come out as 3.0000002.
        near = np.abs(labels[wrong] - whole[wrong]) <= _rounding(whole[wrong])
        wrong[wrong] = ~near
    wrong |= ~np.isfinite(labels)
    if wrong.any():
        raise FormatError(
            f"{path} is an annotation with values that are not whole numbers, such as "
            f"{labels[wrong][0]} ({int(wrong.sum())} voxels). "
            f"{scaling(path) or RESAMPLED}"
        )
    result = whole.astype(_smallest_type(whole, INTEGERS, path))
    return result


def integers_in_file(
    array: Any, path: Path, scaling: Callable[[Path], str] = lambda path: ""
) -> Windowed:
    """Return what `as_integers` does of one channel, read by windows.

    Parameters
    ----------
    array : ndarray or Windowed, shape S
        As in the file. Of floating-point numbers all are looked at once.
    path, scaling
        As there.

    Returns
    -------
    Windowed of integers, shape S
        The same values.
    """
    lazy = windowed(array)
    kind = lazy.dtype
    if kind.kind not in "iu":
        found = (as_integers(p[None], path, scaling=scaling) for p in pieces(lazy))
        kind = np.result_type(*{part.dtype for part in found})
    kind = kind.newbyteorder("=")

    def whole(part: Array) -> Array:
        numbers = np.rint(part) if part.dtype.kind == "f" else part
        result: Array = numbers.astype(kind)
        return result

    return lazy.each(whole, kind)


def write_voxels(file: Any, array: Array) -> None:
    """Write an array in little-endian, row by row if it is in a file itself.

    Parameters
    ----------
    file : writable binary file
        Where; may compress.
    array : ndarray
        Of any shape, first axis slowest.
    """
    kind = array.dtype.newbyteorder("<")
    if not is_mapped(array):
        file.write(np.ascontiguousarray(array, kind).data.cast("B"))
        return
    for _, rows in in_rows(array):
        file.write(np.ascontiguousarray(rows, kind).data.cast("B"))


def _rounding(values: Array) -> Array:
    """Return how far values may be from whole by a slope and numbers in float32."""
    return np.clip(ROUNDING * np.abs(values), ROUNDING, LARGEST_ROUNDING)


def as_storable(labels: Array, kinds: Sequence[DTypeLike], path: Path) -> Array:
    """Return labels in a number type that a kind of file can hold.

    Parameters
    ----------
    labels : ndarray of integers
        Of any integer type.
    kinds : sequence of dtype
        What the file can hold, smallest first.
    path : Path
        The file to write, for the message.

    Returns
    -------
    ndarray
        In its own type if the file can hold that, else in the smallest that holds all
        values.

    Raises
    ------
    FormatError
        If none does, or these are no integers.
    """
    if labels.dtype.kind == "b":
        labels = labels.astype(np.uint8)
    if labels.dtype.kind not in "iu":
        raise FormatError(f"{path}: labels are {labels.dtype}, not integers.")
    native = labels.dtype.newbyteorder("=")
    if any(native == np.dtype(kind) for kind in kinds):
        return labels.astype(native, copy=False)
    return labels.astype(_smallest_type(labels, kinds, path))


def _smallest_type(labels: Array, kinds: Sequence[DTypeLike], path: Path) -> DTypeLike:
    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    for kind in kinds:
        limits = np.iinfo(np.dtype(kind))
        if limits.min <= low and high <= limits.max:
            return kind
    raise FormatError(
        f"{path} cannot hold label values from {low} to {high}. "
        "Choose another ending, such as .tif or .nii.gz."
    )


def _is_opaque(alpha: Array) -> bool:
    whole = 1 if alpha.dtype.kind in "bf" else np.iinfo(alpha.dtype).max
    return bool((alpha == whole).all())


def _only_color(array: Array) -> Array:
    """Return the one of three colors that shows anything, or all of them."""
    shows = [bool((color != color.flat[0]).any()) for color in array]
    return array[shows.index(True)][None] if sum(shows) == 1 else array


def _same(a: Array, b: Array) -> bool:
    return bool(np.array_equal(a, b))
