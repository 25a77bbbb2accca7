"""Which annotations of a COCO file belong to which picture.

COCO [1]_ joins them by numbers, which merging and editing often break.

.. [1] Lin et al., "Microsoft COCO: common objects in context", ECCV 2014.
   arXiv:1405.0312; the format: cocodataset.org, "Data format".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SHOWN = 5  # ids or names in a message


@dataclass(frozen=True, kw_only=True)
class CocoImage:
    """The entries of ``images`` that are of one case.

    Parameters
    ----------
    case : str
        Which case its file name tells.
    name : str
        ``file_name`` of the first.
    ids : tuple of str
        Of all.
    shape : tuple of int or None
        (height, width), if the file says it.
    fault : str
        Why nobody can tell what is annotated in it; empty if one can.
    """

    case: str
    name: str
    ids: tuple[str, ...]
    shape: tuple[int, int] | None
    fault: str = ""


def images_of(
    entries: Sequence[Mapping[str, Any]], case_of: Callable[[str], str]
) -> list[CocoImage]:
    """Return the pictures of a COCO file, entries of one picture put together.

    Parameters
    ----------
    entries : sequence of mapping
        ``images``: id and file_name, mostly height and width.
    case_of : callable
        From a file name to the id of a case.

    Returns
    -------
    list of CocoImage
        In the order of the file.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the entries are of another kind.
    """
    by_case: dict[str, list[Mapping[str, Any]]] = {}
    names_of: dict[str, set[str]] = {}
    for entry in entries:
        name = _name(entry)
        by_case.setdefault(case_of(name), []).append(entry)
        names_of.setdefault(id_of(entry["id"]), set()).add(name)
    found = []
    for case, own in by_case.items():
        ids = tuple(dict.fromkeys(id_of(entry["id"]) for entry in own))
        shared = {i: names_of[i] for i in ids if len(names_of[i]) > 1}
        shapes = list(dict.fromkeys(_shape(entry) for entry in own))
        names = list(dict.fromkeys(map(_name, own)))
        found.append(
            CocoImage(
                case=case,
                name=names[0],
                ids=ids,
                shape=shapes[0],
                fault=_fault(names, ids, shapes, shared),
            )
        )
    return found


def id_of(value: Any) -> str:
    """Return an id, of which 1, "1" and 1.0 are the same, as tables write them.

    Examples
    --------
    >>> id_of(1.0), id_of(" 1"), id_of("a1"), id_of(2.5)
    ('1', '1', 'a1', '2.5')
    """
    text = str(value).strip()
    whole = re.fullmatch(r"(-?\d+)\.0+", text)
    return whole[1] if whole else text


def sorted_by_image(
    annotations: Iterable[Mapping[str, Any]], images: Sequence[CocoImage]
) -> tuple[list[list[Mapping[str, Any]]], dict[str, int]]:
    """Return the annotations of each picture; see `id_of`.

    Parameters
    ----------
    annotations : iterable of mapping
        With ``image_id``.
    images : sequence of CocoImage
        The pictures.

    Returns
    -------
    found : list of list of mapping
        For each picture, in the order of the file.
    lost : dict of str to int
        How many have an ``image_id`` that no picture has.
    """
    place = {i: number for number, image in enumerate(images) for i in image.ids}
    found: list[list[Mapping[str, Any]]] = [[] for _ in images]
    lost: dict[str, int] = {}
    for one in annotations:
        key = id_of(one["image_id"])
        if key in place:
            found[place[key]].append(one)
        else:
            lost[key] = lost.get(key, 0) + 1
    return found, lost


def lost_sentence(lost: Mapping[str, int]) -> str:
    """Return a sentence that names annotations of no picture.

    Examples
    --------
    >>> lost_sentence({"7": 2, "9": 1})
    '3 annotations are of no picture: 2 with the image_id 7, 1 with the image_id 9.'
    """
    count = sum(lost.values())
    some = [f"{n} with the image_id {i}" for i, n in list(lost.items())[:SHOWN]]
    more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    verb = "annotation is" if count == 1 else "annotations are"
    return f"{count} {verb} of no picture: {', '.join(some)}{more}."


def _name(entry: Mapping[str, Any]) -> str:
    name = entry["file_name"]
    if not isinstance(name, str) or not name:
        raise ValueError(f"`file_name` is {name!r}")
    return name.strip().replace("\\", "/").removeprefix("./")


def _shape(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return (height, width); zeros and nothing say nothing."""
    height, width = entry.get("height"), entry.get("width")
    if height is None or width is None:
        return None
    shape = int(height), int(width)
    return shape if min(shape) > 0 else None


def _fault(
    names: Sequence[str],
    ids: Sequence[str],
    shapes: Sequence[tuple[int, int] | None],
    shared: Mapping[str, set[str]],
) -> str:
    """Return why entries cannot be told apart, or be put together."""
    if shared:
        (i, both), *_ = shared.items()
        return (
            f"the id {i} is of several pictures: {_some(sorted(both))}. Give each "
            "picture in `images` an id of its own"
        )
    if len(names) > 1:
        return (
            f"{_some(names)} (ids {_some(ids)}) may all be this picture. Leave the one "
            "that is in `images`, with its annotations, or name them apart"
        )
    if len(shapes) > 1:
        sizes = [
            "no size" if s is None else f"{s[0]} rows and {s[1]} columns"
            for s in shapes
        ]
        return (
            f"{names[0]} is there {len(ids)} times (ids {_some(ids)}) with "
            f"{_some(sizes)}. Leave the one that is right"
        )
    return ""


def _some(words: Sequence[str]) -> str:
    shown = ", ".join(words[:SHOWN])
    return shown + (f" and {len(words) - SHOWN} more" if len(words) > SHOWN else "")
