"""Planes put in order: which of them make an image together, and what is wrong.

A series is parted by orientation and size, and where two planes lie at one place by
what tells them apart (acquisition, temporal position, echo, ...). Each part is a stack;
what keeps a stack from being an image is a text, and nobody reads it silently.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from autoseg.dicom.gaps import explains, last_digit, mm, named_distance, uneven
from autoseg.dicom.headers import Header, missing_part
from autoseg.dicom.planes import APART, Plane

SAME_PLACE = 1e-3  # of a voxel, or mm where there is none
UNEVEN = 0.01  # of the distance of slices
TILTED = 1.75e-3  # of the distance of slices: a tenth of a degree
DRIFT = 0.1  # of a pixel over all slices: less is rounding
ALIKE = 4  # decimals of orientations that are the same


@dataclass(frozen=True, kw_only=True)
class Stack:
    """Planes that make an image together, in ascending order along their normal.

    Parameters
    ----------
    header : Header
        Of the first file, for what all of them say.
    planes : tuple of Plane
        In the order of the image.
    part : int
        Number of the stack in its series, from 1; 0 if it is the only one.
    differs : str
        In what it differs from the others of its series.
    problem : str
        Why it is no image; empty if it is one.
    aside : str
        Why nobody means it unless she names it: a localizer; empty if one might.
    step : tuple of float
        From one slice to the next, millimeters.
    tilt : float
        Degrees between that and the normal; 0 for what is straight.
    rounded : float
        To how many millimeters places are rounded that are uneven for that alone;
        otherwise 0.
    distance_of : str
        Which field the distance of such slices is taken from; empty: their places.
    """

    header: Header
    planes: tuple[Plane, ...]
    part: int = 0
    differs: str = ""
    problem: str = ""
    aside: str = ""
    step: tuple[float, float, float] = (0.0, 0.0, 1.0)
    tilt: float = 0.0
    rounded: float = 0.0
    distance_of: str = ""

    @property
    def placed(self) -> bool:
        """Whether it is known where in the patient the planes are."""
        plane = self.planes[0]
        return plane.position is not None and plane.orientation is not None

    def selector(self, by_uid: bool = False) -> str:
        """Return what chooses this stack: number or UID of its series, and its part."""
        part = f"@{self.part}" if self.part else ""
        number = "" if by_uid else self.header.number
        return f"{number or self.header.series}{part}"

    def called(self) -> str:
        """Return its name for messages."""
        header = self.header
        name = f"series {header.number or header.series}"
        if header.description:
            name += f' "{header.description}"'
        return f"{name}, part {self.part} ({self.differs})" if self.part else name


def stacks_of(headers: Iterable[Header]) -> list[Stack]:
    """Return all stacks of images, series by series.

    Parameters
    ----------
    headers : iterable of Header
        Of the files of one or more studies; what is no image is left out.
    """
    by_series: dict[tuple[str, str], list[Header]] = defaultdict(list)
    for header in headers:
        if header.planes:
            by_series[header.study, header.series].append(header)
    found = [stack for of in by_series.values() for stack in _stacks(of)]
    return sorted(found, key=_by_number)


def _by_number(stack: Stack) -> tuple[str, int, str, int]:
    number = stack.header.number
    count = int(number) if number.lstrip("-").isdigit() else 0
    return (stack.header.study, count, stack.header.series, stack.part)


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """What planes of one image have in common."""

    shape: tuple[int, int]
    samples: int
    turned: tuple[float, ...]
    localizer: bool


def axes_of(plane: Plane) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the directions along a row and along a column."""
    both = np.asarray(plane.orientation, np.float64).reshape(2, 3)
    return both[0], both[1]


def normal_of(plane: Plane) -> NDArray[np.float64]:
    """Return the unit normal of a plane, rows times columns."""
    row, column = axes_of(plane)
    normal = np.cross(row, column)
    return np.asarray(normal / np.linalg.norm(normal))


def _stacks(headers: list[Header]) -> list[Stack]:
    """Return the stacks of one series."""
    groups: dict[_Kind, list[tuple[Header, Plane]]] = defaultdict(list)
    for header in headers:
        for plane in header.planes:
            turned = np.round(plane.orientation or (), ALIKE) + 0.0
            kind = _Kind(
                shape=header.shape,
                samples=header.samples,
                turned=tuple(turned.tolist()) if plane.position else (),
                localizer=header.localizer,
            )
            groups[kind].append((header, plane))
    parted: list[tuple[str, list[tuple[Header, Plane]], str]] = []
    # Parts have numbers, which must not follow the order of files.
    named = sorted(
        ((_words(key, list(groups)), members) for key, members in groups.items()),
        key=lambda entry: entry[0],
    )
    for names, members in named:
        for word, part, problem in _parts(members):
            parted.append((", ".join(filter(None, (names, word))), part, problem))
    several, lacking = len(parted) > 1, missing_part(headers)
    return [
        _stack(
            members,
            part=number if several else 0,
            differs=words,
            problem=problem or lacking,
        )
        for number, (words, members, problem) in enumerate(parted, 1)
    ]


def _words(key: _Kind, kinds: Sequence[_Kind]) -> str:
    """Return in what a group of planes differs from others of its series."""
    if len(kinds) == 1:
        return ""
    said = []
    if len({kind.shape for kind in kinds}) > 1:
        said.append(" x ".join(map(str, key.shape)))
    if len({kind.turned for kind in kinds}) > 1 and key.turned:
        said.append(f"orientation {', '.join(f'{value:g}' for value in key.turned)}")
    if key.localizer:
        said.append("localizer")
    if not key.turned:
        said.append("without a place")
    return ", ".join(said) or f"{key.samples} numbers a pixel"


def _parts(
    members: list[tuple[Header, Plane]],
) -> list[tuple[str, list[tuple[Header, Plane]], str]]:
    """Part planes of one orientation so that no two of a part are at one place."""
    double = _double(members)
    if double is None:
        return [("", members, "")]
    told: list[Callable[[tuple[Header, Plane]], str]] = [
        lambda entry, word=word: entry[1].apart.get(word, "")  # type: ignore[misc]
        for word in APART
    ]
    alone = [[number] for number in range(len(told))]
    together = list(accumulate(([n] for n in range(len(told))), lambda a, b: a + b))
    for numbers in (*alone, *together):
        split: dict[tuple[str, ...], list[tuple[Header, Plane]]] = defaultdict(list)
        for entry in members:
            split[tuple(told[n](entry) for n in numbers)].append(entry)
        if len(split) > 1 and all(_double(part) is None for part in split.values()):
            words = list(APART)
            return [
                (
                    ", ".join(
                        f"{words[n]} {value or '-'}"
                        for n, value in zip(numbers, key, strict=True)
                        if len({other[numbers.index(n)] for other in split}) > 1
                    ),
                    part,
                    "",
                )
                for key, part in sorted(split.items(), key=lambda e: _natural(e[0]))
            ]
    return [("", members, f"has two planes at one place, {double}")]


def _natural(key: tuple[str, ...]) -> list[tuple[int, float, str]]:
    """Return a key that sorts numbers as numbers."""
    found = []
    for text in key:
        try:
            found.append((0, float(text), text))
        except ValueError:
            found.append((1, 0.0, text))
    return found


def _double(members: list[tuple[Header, Plane]]) -> str | None:
    """Return where two planes are that lie at one place; None if there are none."""
    placed = [plane for _, plane in members if plane.position and plane.orientation]
    if len(placed) < 2:
        return None
    normal = normal_of(placed[0])
    heights = np.array([np.asarray(plane.position) @ normal for plane in placed])
    order = np.argsort(heights, kind="stable")
    for a, b in zip(order, order[1:], strict=False):
        one, other = placed[a], placed[b]
        apart = np.subtract(one.position, other.position)
        if np.linalg.norm(apart) < SAME_PLACE:
            files = f"{one.name} and {other.name}"
            if one.name == other.name:
                files = f"frames {one.frame + 1} and {other.frame + 1} of {one.name}"
            elif one.uid and one.uid == other.uid:
                files += ", one instance by their UID: take the copy away"
            return f"at {mm(one.position)} ({files})"
    return None


def _stack(
    members: list[tuple[Header, Plane]], part: int, differs: str, problem: str
) -> Stack:
    header = members[0][0]
    planes = [plane for _, plane in members]
    stack = Stack(
        header=header,
        planes=tuple(planes),
        part=part,
        differs=differs,
        problem=problem,
        aside="a localizer" if header.localizer else "",
    )
    if not stack.placed:
        if len(planes) > 1 and not problem:
            problem = (
                f"has {len(planes)} planes that do not say where they lie (no "
                "ImagePositionPatient)"
            )
        return replace(stack, problem=problem)
    normal = normal_of(planes[0])
    ordered = sorted(
        planes, key=lambda plane: float(np.asarray(plane.position) @ normal)
    )
    stack = replace(stack, planes=tuple(ordered))
    return stack if problem else _checked(stack, normal)


def _checked(stack: Stack, normal: NDArray[np.float64]) -> Stack:
    """Return a stack with its step, or with what is wrong with its places."""
    planes = stack.planes
    if len({plane.spacing for plane in planes}) > 1:
        return replace(stack, problem="has planes whose pixels differ in size")
    if planes[0].spacing is None:
        return replace(stack, problem="does not say how large a pixel is")
    places = np.array([plane.position for plane in planes])
    if len(planes) == 1:
        step = normal * next(iter(planes[0].distances.values()), 1.0)
        return replace(stack, step=_triple(step))
    heights = places @ normal
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    off = np.flatnonzero(np.abs(gaps - usual) > UNEVEN * usual)
    rounded, named = 0.0, None
    if usual <= 0 or len(off):
        rounded = last_digit(planes, normal)
        if not explains(rounded, heights):
            named = named_distance(planes, heights, rounded)
            if named is None:
                problem = uneven(planes, heights, gaps, usual, off, rounded)
                return replace(stack, problem=problem)
    step = (places[-1] - places[0]) / (len(planes) - 1)
    if named is not None:
        stack = replace(stack, distance_of=named[0])
        step = step + (named[1] - step @ normal) * normal
    line = places[0] + np.arange(len(planes))[:, None] * step
    aside = np.linalg.norm(
        places - line - ((places - line) @ normal)[:, None] * normal, axis=1
    )
    if aside.max() > 0.5 * min(planes[0].spacing):
        worst = planes[int(aside.argmax())]
        return replace(
            stack,
            problem=f"has slices that do not lie on one line; {worst.name} at "
            f"{mm(worst.position)} is {aside.max():.3g} mm off it",
        )
    across = step - (step @ normal) * normal
    drift, rise = float(np.linalg.norm(across)), float(step @ normal)
    tilt = 0.0
    if drift > TILTED * rise and drift * len(planes) > DRIFT * min(planes[0].spacing):
        tilt = float(np.degrees(np.arctan2(drift, rise)))
    else:
        step = rise * normal
    return replace(stack, step=_triple(step), tilt=tilt, rounded=rounded)


def _triple(vector: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(vector[0]), float(vector[1]), float(vector[2])
