"""COCO's JSON [1]_: which images it has, and the pixels of each instance.

.. [1] Lin et al., "Microsoft COCO: common objects in context", ECCV 2014.
   arXiv:1405.0312; the format: cocodataset.org, "Data format".
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.files import CHANNEL, stem_of
from autoseg.errors import FormatError
from autoseg.formats.base import known_endings

Array = NDArray[Any]
Places = tuple[NDArray[np.intp], ...]

NEEDS = (
    "COCO's JSON needs `images` with id, file_name, height and width, and "
    "`annotations` with image_id, category_id and segmentation."
)
SHOWN = 3


@dataclass(frozen=True)
class Coco:
    """What one file says, by image.

    Parameters
    ----------
    path : Path
        The file.
    images : mapping of str to mapping
        Entries by case: an image file's name without ending and channel number.
    annotations : mapping
        Entries by ``image_id``, in the order of the file.
    """

    path: Path
    images: Mapping[str, Mapping[str, Any]]
    annotations: Mapping[Any, Sequence[Mapping[str, Any]]]

    def image(self, case_id: str) -> Mapping[str, Any]:
        """Return the entry of a case's image; of a file of one image, that."""
        if case_id in self.images:
            return self.images[case_id]
        if len(self.images) == 1:
            return next(iter(self.images.values()))
        some = ", ".join(
            str(i["file_name"]) for i in list(self.images.values())[:SHOWN]
        )
        raise FormatError(
            f"{self.path} has no image called {case_id}; it has {len(self.images)}, "
            f"such as {some}. Add the case to it, or name the files alike."
        )

    def of_case(self, case_id: str) -> Sequence[Mapping[str, Any]]:
        """Return the instances of a case in the order of the file, without crowds."""
        own = self.annotations.get(self.image(case_id)["id"], ())
        return [one for one in own if not _is_crowd(one)]

    def crowds_of(self, case_id: str) -> int:
        """Return how many crowd regions a case has, which are no instances."""
        own = self.annotations.get(self.image(case_id)["id"], ())
        return sum(map(_is_crowd, own))


def read_coco(path: Path) -> Coco:
    """Read a file of COCO's.

    Parameters
    ----------
    path : Path
        The file. What was read last is kept until the file changes, for one file often
        has all cases.

    Returns
    -------
    Coco
        Its content by image.

    Raises
    ------
    FormatError
        If it is no JSON, or not of this kind.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error.strerror}).") from None
    return _read(path, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=2)
def _read(path: Path, *_: int) -> Coco:
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise FormatError(f"{path} is no JSON ({error}). Write it again.") from None
    try:
        images = {_case(str(one["file_name"])): one for one in raw["images"]}
        for one in raw["images"]:
            int(one["height"]), int(one["width"]), one["id"]
        found: dict[Any, list[Mapping[str, Any]]] = {}
        for one in raw["annotations"]:
            found.setdefault(one["image_id"], []).append(one)
    except KeyError as error:
        raise FormatError(f"{path} has an entry without {error}. {NEEDS}") from None
    except (TypeError, ValueError) as error:
        raise FormatError(f"{path} is of another kind ({error}). {NEEDS}") from None
    return Coco(path, images, found)


def _is_crowd(annotation: Mapping[str, Any]) -> bool:
    """Return whether an entry is many objects that nobody drew one by one."""
    return annotation.get("iscrowd") in (1, "1")


def _case(name: str) -> str:
    """Return which case an image file is of."""
    file = Path(name.replace("\\", "/"))
    stem = stem_of(file, known_endings()) or file.stem
    match = CHANNEL.fullmatch(stem)
    return match[1] if match and match[2] == "0000" else stem


def places_of(annotation: Mapping[str, Any], shape: tuple[int, int]) -> Places:
    """Return the pixels of an instance.

    Parameters
    ----------
    annotation : mapping
        Its ``segmentation`` is a list of polygons, or a run-length code with counts or
        text.
    shape : tuple of int
        (height, width) of the image.

    Returns
    -------
    tuple of ndarray
        Rows and columns.

    Raises
    ------
    ValueError
        Says what is wrong with it.
    """
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, Mapping):
        return _in_runs(segmentation, shape)
    if not isinstance(segmentation, list):
        raise ValueError("it has no `segmentation`")
    from skimage.draw import polygon

    parts = []
    for corners in segmentation:
        if not isinstance(corners, list) or len(corners) < 6 or len(corners) % 2:
            raise ValueError("a polygon needs x and y of three corners or more")
        # COCO counts from the image's corner, arrays from the first pixel's middle.
        x, y = np.reshape(np.asarray(corners, float), (-1, 2)).T - 0.5
        parts.append(np.stack(polygon(y, x, shape)))
    both = np.concatenate([np.zeros((2, 0), np.intp), *parts], axis=1)
    return both[0], both[1]


def _in_runs(code: Mapping[str, Any], shape: tuple[int, int]) -> Places:
    """Return the pixels of a run-length code, which goes column after column."""
    if list(code.get("size", [])) != list(shape):
        raise ValueError(f"its run lengths are for {code.get('size')}")
    counts = code.get("counts", ())
    runs = np.array(
        _runs(counts) if isinstance(counts, str) else counts, dtype=np.int64
    )
    ends = np.cumsum(runs)
    if not len(runs) or runs.min() < 0 or ends[-1] > shape[0] * shape[1]:
        raise ValueError("its run lengths are not those of the image's pixels")
    ends, lengths = ends[1::2], runs[1::2]
    # 0, 1, 2, ... shifted to where each run begins.
    flat = np.arange(lengths.sum()) + np.repeat(ends - np.cumsum(lengths), lengths)
    columns, rows = np.divmod(flat, shape[0])
    return rows, columns


def _runs(text: str) -> list[int]:
    """Return the counts of COCO's compressed run-length code.

    Five bits for each character, lowest first; from the fourth count on, the difference
    to the last but one.
    """
    runs: list[int] = []
    value, shift = 0, 0
    for character in text:
        code = ord(character) - 48
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value, shift = 0, 0
    return runs
