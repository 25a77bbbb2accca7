"""Which pages of a TIFF file are its image: all of them, or an error."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError
from autoseg.formats._in_files.lossy import HEAD, packed_with_loss
from autoseg.formats._tiff.content import WHITE_IS_ZERO, Content
from autoseg.formats._tiff.parts import Planes, at_position, at_time
from autoseg.geometry import mapped
from autoseg.spec.foreign.place import part_of, place_of

Array = NDArray[Any]

SLIDES = ("svs", "scn", "ndpi", "bif", "philips", "qpi", "avs", "ventana")
ASIDE = 1 | 4  # bits of NewSubfileType: a smaller copy, a transparency mask
ALIKE = 0.1  # relative: how far ratios of edges of a smaller copy may be apart
EXACT = (1, 5, 8, 32773, 32946)  # none, LZW, Deflate, PackBits, by TIFF's numbers
MULTICOLOR = ("composite", "color")  # ImageJ's modes of real channels


def content_of(file: Any, path: Path) -> Content:
    """Find the image in a file.

    Parameters
    ----------
    file : tifffile.TiffFile
        Open.
    path : Path
        Where it is, for messages.

    Returns
    -------
    Content
        Pages of one shape and type are one stack, however they were written; smaller
        copies of the image are left aside, and noted.

    Raises
    ------
    FormatError
        If there are several images, or parts of one are in files that are not here.
    """
    quiet()
    series = list(file.series)
    if file.is_ome:
        return _of_ome(file, series, path)
    if len(series) == 1 or file.is_lsm or any(s.kind in SLIDES for s in series):
        return _of_series(file, series[0])
    stacked = _stacked(file, series)
    if stacked is not None:
        return stacked
    largest = max(series, key=lambda one: int(np.prod(one.shape)))
    others = [one for one in series if one is not largest]
    if all(_is_aside(one, largest) for one in others):
        return _of_series(
            file,
            largest,
            f"it holds {len(others)} smaller cop{'y' if len(others) == 1 else 'ies'} "
            "of its image too, which are left aside",
        )
    shapes = ", ".join(
        f"{' x '.join(map(str, one.shape))} {one.dtype}" for one in series
    )
    raise FormatError(
        f"{path} holds {len(series)} images of different kinds: {shapes}. Save the one "
        "that counts as a file of its own."
    )


def pixels_of(content: Content, path: Path) -> Array:
    """Read all that `content_of` found.

    Parameters
    ----------
    content : Content
        Of an open file.
    path : Path
        Where it is, for messages.

    Returns
    -------
    ndarray, shape ``content.shape``
        Mapped from the file where it is large and stored as it is. Bilevel values are
        1 for white.

    Raises
    ------
    FormatError
        If a decoder is missing.
    """
    if len(content.parts) == 1:
        array = _pixels(content.parts[0], path)
    else:
        size = int(np.prod(content.shape)) * content.keyframe.dtype.itemsize
        kind = content.keyframe.dtype
        large = size > mapped.IN_MEMORY
        array = (mapped.zeros if large else np.zeros)(content.shape, kind)
        for place, part in zip(array, content.parts, strict=True):
            place[...] = _pixels(part, path)
    return ~array if content.is_inverted and array.dtype.kind == "b" else array


def packing_of(file: Any, content: Content) -> str:
    """Return by which packing an image lost values, empty: by none that is known.

    Parameters
    ----------
    file : tifffile.TiffFile
        Open.
    content : Content
        Its image.
    """
    keyframe = content.keyframe
    if keyframe.compression in EXACT or not keyframe.dataoffsets:
        return ""
    file.filehandle.seek(keyframe.dataoffsets[0])
    return packed_with_loss(file.filehandle.read(min(HEAD, keyframe.databytecounts[0])))


def quiet() -> None:
    """Keep tifffile's own lines about odd files off the terminal."""
    logger = logging.getLogger("tifffile")
    if logger.propagate:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False


def _of_series(file: Any, series: Any, *notes: str) -> Content:
    imagej = file.imagej_metadata or {}
    said, doubt = bool(file.is_ome or file.is_lsm), ""
    if imagej.get("hyperstack"):
        # Of a stack without a word about its axes, writers that are not ImageJ say
        # that its planes are channels.
        counts = [imagej.get(name, 1) > 1 for name in ("slices", "frames")]
        said = any(counts) or imagej.get("mode") in MULTICOLOR
        if not said and imagej.get("channels", 1) > 1:
            doubt = (
                f"it says that it holds {imagej['channels']} channels, as stacks saved "
                "without a word about their axes do; where one channel is named they "
                "are read as slices"
            )
    shape = tuple(int(n) for n in series.shape)
    content = Content(series.axes, shape, [series], series.keyframe, said, notes, doubt)
    if content.keyframe.photometric != WHITE_IS_ZERO or content.is_inverted:
        return content
    return replace(
        content, notes=(*notes, "it says that 0 is white; values are read as stored")
    )


def _stacked(file: Any, series: Sequence[Any]) -> Content | None:
    """Return all pages, or all series, as one stack; None if they differ."""
    first = series[0]
    if all(one.kind == "generic" for one in series):
        pages = [_full(page) for page in file.pages]
        pages = [page for page in pages if not _flags(page) & ASIDE]
        alike = {(page.shape, page.dtype) for page in pages}
        within = {(one.keyframe.shape, one.keyframe.dtype) for one in series}
        if len(alike) == 1 and len(pages) > 1 and len(within) == 1:
            axes, shape = "Q" + pages[0].axes, (len(pages), *pages[0].shape)
            return Content(axes, shape, pages, pages[0])
        return None
    if len({(one.shape, one.dtype, one.axes) for one in series}) == 1:
        shape = (len(series), *first.shape)
        return Content("Q" + first.axes, shape, list(series), first.keyframe)
    return None


def _full(page: Any) -> Any:
    return page.aspage() if hasattr(page, "aspage") else page


def _flags(page: Any) -> int:
    return int(getattr(page, "subfiletype", 0) or 0)


def _is_aside(series: Any, largest: Any) -> bool:
    """Return whether a series is a smaller copy of another, or says that it is."""
    if _flags(series.keyframe) & ASIDE:
        return True
    edges = [[one.shape[one.axes.index(a)] for a in "YX"] for one in (series, largest)]
    ratios = [small / large for small, large in zip(*edges, strict=True)]
    one_page = int(np.prod(series.shape)) == int(np.prod(series.keyframe.shape))
    return (
        max(ratios) < 1
        and abs(ratios[0] - ratios[1]) <= ALIKE * max(ratios)
        and one_page
    )


def _of_ome(file: Any, series: Sequence[Any], path: Path) -> Content:
    """Return the one image of an OME file, all of whose planes are there."""
    xml = file.ome_metadata or ""
    described = re.search(r"<(?:\w+:)?BinaryOnly[^>]*MetadataFile=\"([^\"]*)\"", xml)
    if described:
        raise FormatError(
            f"{path} is part of a set that {described[1]} describes. Save the image as "
            "one file."
        )
    ome, asked = [one for one in series if one.kind == "ome"], part_of(path)
    number = ome.index(at_position(ome, asked, path)) if ome else 0
    ome = ome[number : number + 1]
    parts = dict.fromkeys(re.findall(r"<(?:\w+:)?UUID[^>]*FileName=\"([^\"]*)\"", xml))
    folder = place_of(path).parent
    absent = [name for name in parts if not (folder / name).is_file()]
    if ome and not any(page is None for page in ome[0]):
        content = replace(_of_series(file, ome[0]), number=number)
        return at_time(content, asked, path)
    if not ome and (not absent or len(parts) == 1):
        return _of_series(file, series[0])
    if len(parts) == 1:  # itself, by the name that it had
        return _renamed(file, ome[0], path)
    raise FormatError(
        f"{path} refers to {', '.join(absent) or 'planes'}, which "
        f"{'is' if len(absent) == 1 else 'are'} not here: it is part of an image in "
        f"{len(parts)} files, named as they were written. Save the image as one file."
    )


def _renamed(file: Any, series: Any, path: Path) -> Content:
    """Return the image of a file that knows itself by another name."""
    pages = list(file.pages)
    planes = int(np.prod(series.shape)) // int(np.prod(pages[0].shape))
    if len(pages) != planes:
        raise FormatError(
            f"{path} says that it has {planes} planes, and {len(pages)} are there. "
            "Save the image again."
        )
    shape = tuple(int(n) for n in series.shape)
    return Content(series.axes, shape, [Planes(pages, shape)], pages[0], said=True)


def _pixels(part: Any, path: Path) -> Array:
    """Return the array of a series or a page; by ITK where tifffile lacks a decoder."""
    keyframe = part.keyframe
    large = part.nbytes > mapped.IN_MEMORY or mapped.is_large(math.prod(part.shape))
    stored = getattr(part, "dataoffset", None) is not None and keyframe.is_memmappable
    out: Any = None
    if large:  # where it is, or unpacked into another file
        out = "memmap" if stored else mapped.zeros(part.shape, part.dtype)
    try:
        return np.asarray(part.asarray(out=out))
    except (ImportError, NotImplementedError):
        pass
    except ValueError as error:
        if not re.search("imagecodecs|_decode", str(error)):
            raise
    array = _by_itk(path, keyframe)
    if array.size != int(np.prod(part.shape)):
        raise FormatError(
            f"{path} is {_packed(keyframe)}, which needs the package imagecodecs. "
            "Install it, or save the file with Deflate."
        )
    return array.reshape(part.shape)


def _by_itk(path: Path, keyframe: Any) -> Array:
    import SimpleITK

    bits = keyframe.bitspersample
    if bits not in (8, 16, 32, 64):  # ITK takes packed values for whole bytes
        return np.empty(0)
    try:
        return np.asarray(
            SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(place_of(path))))
        )
    except RuntimeError:
        return np.empty(0)


def _packed(keyframe: Any) -> str:
    bits = keyframe.bitspersample
    if bits in (1, 8, 16, 32, 64):
        return f"compressed by {keyframe.compression.name}"
    return f"stored with {bits} bits for each value"
