"""From the objects that a file has to one map of ids."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import FormatError, amount, did_you_mean, some_of
from autoseg.instancefiles.readers._classes import Classes, described
from autoseg.instancefiles.readers._kind import Drawn, Picture, Places
from autoseg.spec.annotation import IGNORED
from autoseg.spec.arrays.overlaps import Mask, painted
from autoseg.spec.image import Geometry

SHOWN = 5  # faults that a message lists
UNDRAWN = {  # what marks are, where outlines are meant
    "point": "{}: a point has no area; where objects are marked by points, say "
    '"drawn": "points" in dataset.json, and how large they usually are by `diameter`',
    "box": "{} is a box, and objects need outlines: export them for segmentation, or, "
    'where boxes are meant, say "drawn": "boxes" in dataset.json',
}


@dataclass(frozen=True, kw_only=True)
class Painted:
    """The objects of a picture or volume, one over the other.

    Parameters
    ----------
    labels : ndarray of int32, shape S
        The n-th object has the id n; where two overlap, the later one is on top.
        Crowds, and what is of the class `ignore`, are `IGNORED` but for the objects
        that lie there.
    classes : mapping of int to int
        By id, for those whose class the file says.
    names : mapping of int to str
        What messages call them; also of those that left no voxel.
    masks : mapping of int to Mask
        The whole mask of each object that shares voxels with another one.
    """

    labels: NDArray[np.int32]
    classes: Mapping[int, int]
    names: Mapping[int, str]
    masks: Mapping[int, Mask]


def paint(
    path: Path,
    picture: Picture,
    classes: Classes,
    geometry: Geometry | None = None,
    *,
    crowds: bool = False,
    mark: str = "",
) -> Painted:
    """Draw the objects of a picture or volume.

    Parameters
    ----------
    path : Path
        The file, for messages.
    picture : Picture
        What it says.
    classes : Classes
        Which class is which.
    geometry : Geometry, optional
        Of the image; by default two axes of the size that the file says.
    crowds : bool
        Crowds that are in one piece are objects.
    mark : str
        Which marks, `Drawn.mark`, may stand for objects beside outlines.

    Returns
    -------
    Painted
        The map, and what is known of each object.

    Raises
    ------
    FormatError
        If the sizes disagree, or an object cannot be drawn; with every fault.
    """
    shape = _shape(path, picture, geometry)
    masks: list[tuple[int, Mask]] = []
    numbers = Numbers()
    kinds: dict[int, int] = {}
    faults: list[str] = []
    strange: dict[str, int] = {}
    undrawn: dict[str, list[str]] = {}
    hidden = np.zeros(shape, bool)
    for drawn in picture.objects:
        try:
            places = drawn.draw((shape[-2], shape[-1]))
            crowd = drawn.crowd and not (crowds and may_be_one(drawn, places))
            if crowd or classes.ignores(picture, drawn):
                hidden[_plane(drawn, shape)][places] = True
                continue
            if drawn.mark not in ("", mark):
                undrawn.setdefault(drawn.mark, []).append(drawn.name)
                continue
            number = numbers.of(drawn)
            if len(places[0]):
                masks.append((number, _mask(_plane(drawn, shape), places, shape)))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            faults.append(f"{drawn.name}: {error}")
            continue
        try:
            kind = classes.of(picture, drawn)
        except ValueError as error:
            strange[str(error)] = strange.get(str(error), 0) + 1
            continue
        if kind is not None:
            kinds[number] = kind
    faults += [_of_marks(mark, names) for mark, names in undrawn.items()]
    _refuse(path, picture, faults, strange, classes.labels)
    labels, shared = painted(shape, masks)
    there = {number for number, _ in masks}
    labels[hidden & (labels == 0)] = IGNORED
    return Painted(
        labels=labels,
        classes={i: kind for i, kind in kinds.items() if i in there},
        names=numbers.names,
        masks=shared,
    )


def _of_marks(mark: str, names: Sequence[str]) -> str:
    """Return what is wrong with marks of one kind, where outlines are meant."""
    more = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    return f"{UNDRAWN[mark].format(names[0])}{more}"


def _mask(plane: tuple[int, ...], places: Places, shape: Sequence[int]) -> Mask:
    """Return the pixels of a plane as a mask of the grid; raise where they are not."""
    for at, size in zip(places, shape[-2:], strict=True):
        if at.min() < 0 or at.max() >= size:
            raise ValueError(f"it has pixels outside of {shape[-2]} x {shape[-1]}")
    lead = tuple(np.full(len(places[0]), number) for number in plane)
    return Mask.of_places((*lead, *places))


def may_be_one(drawn: Drawn, places: Places) -> bool:
    """Return whether a crowd is a mask whose pixels hang together."""
    from scipy.ndimage import label

    if not drawn.brushed:
        return False

    rows, columns = places
    if not len(rows):
        return False
    low = rows.min(), columns.min()
    mask = np.zeros((rows.max() - low[0] + 1, columns.max() - low[1] + 1), bool)
    mask[rows - low[0], columns - low[1]] = True
    return bool(label(mask, np.ones((3, 3)))[1] == 1)


class Numbers:
    """Ids in the order in which objects come; parts of one share theirs.

    Attributes
    ----------
    names : dict of int to str
        What messages call each id.
    """

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self._of: dict[str, int] = {}

    def of(self, drawn: Drawn) -> int:
        """Return the id of an object."""
        number = self._of.get(drawn.part_of or "")
        if number is None:
            number = len(self.names) + 1
            self.names[number] = drawn.part_of or drawn.name
            if drawn.part_of is not None:
                self._of[drawn.part_of] = number
        return number


def _shape(path: Path, picture: Picture, geometry: Geometry | None) -> tuple[int, ...]:
    """Return the shape to draw in, or raise where sizes are not known or disagree."""
    said = picture.shape
    if geometry is None:
        if said is None:
            raise FormatError(
                f"{path} does not say how large its picture is. Give the data set, or "
                "the images."
            )
        return said
    shape = tuple(geometry.shape)
    if said is None or shape[-2:] == said:
        return shape
    hint = ""
    if shape[-2:] == said[::-1]:
        hint = (
            " One is turned by 90 degrees: viewers turn pictures by their EXIF "
            "orientation; write the picture as it was seen when it was annotated."
        )
    raise FormatError(
        f"{path} says that {picture.called or picture.case} has {said[0]} rows and "
        f"{said[1]} columns; the image has {' x '.join(map(str, shape))}.{hint} "
        "Correct `height` and `width`, or put the right image there."
    )


def _plane(drawn: Drawn, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the index of the plane in which an object lies."""
    if len(shape) == 2:
        if drawn.plane:
            raise ValueError(f"it lies in plane {drawn.plane}; the picture has one")
        return ()
    if drawn.plane is None:
        raise ValueError(f"it does not say in which of the {shape[0]} planes it lies")
    if not 0 <= drawn.plane < shape[0]:
        raise ValueError(
            f"it lies in plane {drawn.plane}, counted from 0; there are {shape[0]}"
        )
    return (drawn.plane,)


def _refuse(
    path: Path,
    picture: Picture,
    faults: Sequence[str],
    strange: Mapping[str, int],
    labels: Mapping[int, str],
) -> None:
    called = picture.called or picture.case or path.name
    if faults:
        each = some_of(faults, SHOWN, "; ")
        raise FormatError(
            f"{path} has annotations of {called} that cannot be drawn: {each}. Correct "
            "them, or take them out."
        )
    if strange:
        named = [f"{what} ({amount(n, 'object')})" for what, n in strange.items()]
        quoted = [re.search(r"'(.+)'", what) for what in strange]
        near = [did_you_mean(name[1], labels.values()) for name in quoted if name]
        raise FormatError(
            f"{path}: {called} has {some_of(named)}, which `labels` in dataset.json "
            f"lacks; it has {described(labels)}. Add to it what is another class, take "
            "out of the file what is none, and use the same names in "
            f"both.{''.join(dict.fromkeys(near))}"
        )
