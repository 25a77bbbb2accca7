"""COCO's JSON [1]_: objects of many pictures, as polygons or run lengths.

.. [1] Lin et al., "Microsoft COCO: common objects in context", ECCV 2014.
   arXiv:1405.0312; the format: cocodataset.org, "Data format".
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from autoseg.errors import FormatError
from autoseg.formats.base import known_endings, match_ending
from autoseg.formats.names import image_case
from autoseg.instancefiles.readers import INSTANCEFILES
from autoseg.instancefiles.readers._kind import (
    Content,
    Drawn,
    InstanceFile,
    Picture,
    Places,
    Remark,
)
from autoseg.instancefiles.readers._shapes import box_places, ring_places
from autoseg.spec.foreign.coco import (
    id_of,
    images_of,
    lost_sentence,
    sorted_by_image,
)
from autoseg.spec.foreign.json import keys_of, load_json

NEEDS = (
    "COCO's JSON needs `images` with id, file_name, height and width, and "
    "`annotations` with image_id, category_id and segmentation."
)


@INSTANCEFILES.register
class CocoObjects(InstanceFile):
    """``images``, ``annotations`` with ``segmentation``, and ``categories``.

    Classes are those whose names `labels` of dataset.json has; a file without
    ``categories`` gives their numbers. Entries of one picture in ``images`` are put
    together if they have one name and one size. Crowds (``iscrowd`` 1) are marked.
    """

    endings: ClassVar[tuple[str, ...]] = (".json",)
    holds_many = True

    def claims(self, path: Path) -> bool:
        return bool({"images", "annotations"} & keys_of(path))

    def parse(self, path: Path) -> Content:
        raw = load_json(path)
        try:
            images = images_of(raw["images"], _case)
            kinds = _kinds(raw.get("categories") or ())
            found, lost = sorted_by_image(raw["annotations"], images)
        except KeyError as error:
            raise FormatError(f"it has an entry without {error}. {NEEDS}") from None
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise FormatError(f"it is of another kind ({error}). {NEEDS}") from None
        pictures = [
            Picture(
                case=image.case,
                objects=[_drawn(one, n) for n, one in enumerate(found[i], 1)],
                shape=image.shape,
                called=image.name,
                kinds=kinds,
                fault=image.fault,
            )
            for i, image in enumerate(images)
        ]
        return Content(pictures=pictures, remarks=_remarks(lost))


def _case(name: str) -> str:
    """Return the case of a file name, whatever its ending."""
    case = image_case(name)
    return case if match_ending(name.strip(), known_endings()) else Path(case).stem


def _remarks(lost: Mapping[str, int]) -> list[Remark]:
    if not lost:
        return []
    fix = "Correct their image_id, or take them out: what they show is lost."
    return [Remark(found=lost_sentence(lost), fix=fix)]


def _kinds(categories: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Return the names of categories by number; empty if none has a name."""
    names = {
        int(id_of(one["id"])): str(one.get("name") or "").strip() for one in categories
    }
    return names if any(names.values()) else {}


def _drawn(annotation: Mapping[str, Any], place: int) -> Drawn:
    """Return an entry; what is wrong with it is said when it is drawn."""
    kind: Any = annotation.get("category_id")
    digits = id_of(kind)
    whole = isinstance(kind, (int, float, str)) and digits.lstrip("-").isdecimal()
    marked = not annotation.get("segmentation") and bool(annotation.get("bbox"))
    return Drawn(
        name=f"annotation {annotation.get('id', place)}",
        draw=functools.partial(_draw, annotation),
        mark="box" if marked else "",
        kind=int(digits) if whole else kind if isinstance(kind, str) else None,
        crowd=annotation.get("iscrowd") in (1, "1"),
        brushed=isinstance(annotation.get("segmentation"), Mapping),
    )


def _draw(annotation: Mapping[str, Any], shape: tuple[int, int]) -> Places:
    if "category_id" not in annotation:
        raise ValueError("no 'category_id'")
    return places_of(annotation, shape)


def places_of(annotation: Mapping[str, Any], shape: tuple[int, int]) -> Places:
    """Return the pixels of an instance.

    Parameters
    ----------
    annotation : mapping
        Its ``segmentation`` is a list of polygons, or a run-length code with counts or
        text. Without one, the pixels of its ``bbox``: x, y, width, height.
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
    if not segmentation and annotation.get("bbox"):
        left, top, width, height = (float(value) for value in annotation["bbox"])
        return box_places(left, top, left + width, top + height, shape)
    if isinstance(segmentation, Mapping):
        return _in_runs(segmentation, shape)
    if not isinstance(segmentation, list):
        raise ValueError("it has no `segmentation`")
    parts = [np.zeros((2, 0), np.intp)]
    for corners in segmentation:
        if not isinstance(corners, list) or len(corners) < 6 or len(corners) % 2:
            raise ValueError("a polygon needs x and y of three corners or more")
        rings = np.reshape(np.asarray(corners, float), (-1, 2))
        parts.append(np.stack(ring_places(rings, shape)))
    rows, columns = np.concatenate(parts, axis=1)
    return rows, columns


def _in_runs(code: Mapping[str, Any], shape: tuple[int, int]) -> Places:
    """Return the pixels of a run-length code, which goes column after column."""
    size, counts = code.get("size"), code.get("counts")
    if not isinstance(size, Sequence) or list(size) != list(shape):
        raise ValueError(f"its run lengths are for {size}")
    if not isinstance(counts, Sequence):
        raise ValueError("its run lengths, `counts`, are neither numbers nor text")
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
