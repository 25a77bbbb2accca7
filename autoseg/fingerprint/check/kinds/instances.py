"""Instances: lost, in pieces, with holes, or with odd ids, though they can be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.instance_files import crowds_of, is_many_files, names_of
from autoseg.errors import some_of
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.kinds import CHECK_KINDS
from autoseg.fingerprint.check.kinds.base import CheckKind
from autoseg.fingerprint.check.problem import Problem
from autoseg.instancefiles.readers.base import remarks_of

SHOWN = 8  # ids that a message lists
WRAPPED = {255: "8", 65_535: "16"}


@dataclass(frozen=True)
class Crowds:
    """Crowd regions of a case.

    Parameters
    ----------
    left_out : int
        How many are no objects.
    single : int
        How many of these are in one piece.
    """

    left_out: int
    single: int


@CHECK_KINDS.register
class InstancesCheck(CheckKind):
    """Maps of ids, folders of masks, and COCO's JSON."""

    def look_inside(self, facts: CaseFacts, path: Path, annotation: Any) -> None:
        labels = np.asarray(annotation)
        super().look_inside(facts, path, labels)
        if self.task is None:
            return
        names = None
        if is_many_files(path):
            names = names_of(path, facts.case.id, self.dataset)
            facts.found = Crowds(*crowds_of(path, facts.case.id, self.dataset))
        facts.problems += instance_problems(labels, path, names)

    def unused(self, ids: Set[str]) -> Iterator[Problem]:
        folder = self.dataset.folder / "labelsTr"
        masks = [p for p in folder.iterdir() if p.is_dir()] if folder.is_dir() else []
        for path in sorted(masks):
            if path.name not in ids:
                yield Problem(
                    "warning",
                    path,
                    "This folder of masks has no image.",
                    f"Put the image of {path.name} into imagesTr, or take the folder "
                    "away.",
                )

    def together(self, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
        yield from crowd_problems(facts)
        if self.task is None:
            return
        paths = dict.fromkeys(f.case.annotation for f in facts if f.found is not None)
        for path in paths:
            if path is not None and path.is_file():
                for remark in remarks_of(path, self.task.class_names):
                    yield Problem("warning", path, remark.found, remark.fix)


def instance_problems(
    labels: NDArray[Any], path: Path, names: Mapping[int, str] | None = None
) -> list[Problem]:
    """Return what a person should look at in a map of ids.

    Parameters
    ----------
    labels : ndarray of int, shape S
        Ids.
    path : Path
        Its file.
    names : mapping of int to str, optional
        What each id is called, where it is in a file of its own or in COCO's JSON; also
        of those that left no voxel.

    Returns
    -------
    list of Problem
        Warnings: instances that are not there, ids in several pieces, instances of one
        voxel, instances with holes, one id that may be a mask of the foreground or the
        background, and ids that end where a type does.
    """
    problems = _lost(labels, path, names or {})
    return problems + _odd(labels, path, names or {})


def crowd_problems(facts: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield a warning for each file of regions that were left out.

    Parameters
    ----------
    facts : sequence of CaseFacts
        What was found in each case; `found` are its `Crowds`.
    """
    by_file: dict[Path, list[CaseFacts]] = {}
    for fact in facts:
        if fact.case.annotation is not None and fact.found and fact.found.left_out:
            by_file.setdefault(fact.case.annotation, []).append(fact)
    for path, own in by_file.items():
        count = sum(fact.found.left_out for fact in own)
        single = sum(fact.found.single for fact in own)
        where = ""
        if len(own) > 1:
            where = f" in {len(own)} cases ({some_of([f.case.id for f in own])})"
        fix = "Draw their objects one by one, or crop the image to where that is done."
        if single:
            fix = (
                f"{single} of them are run lengths in one piece, as CVAT's brush "
                'writes single objects: if they are, say "crowds": "objects" in '
                f"dataset.json. If not: {fix[:1].lower()}{fix[1:]}"
            )
        yield Problem(
            "warning",
            path,
            f"{count} crowd region(s) (`iscrowd` 1){where} left out, for they are "
            "no instances; what they cover is taken for background.",
            fix,
        )


def _lost(labels: NDArray[Any], path: Path, names: Mapping[int, str]) -> list[Problem]:
    """Return what was drawn and is not there."""
    there = set(np.unique(labels).tolist())
    lost = [name for i, name in names.items() if i not in there]
    if not lost:
        return []
    text = f"{len(lost)} of {len(names)} instances are empty, or wholly under later"
    return [
        Problem(
            "warning",
            path,
            f"{text} ones: {some_of(lost, SHOWN)}.",
            "Take them out, or draw them where they are to be seen.",
        )
    ]


def _odd(labels: NDArray[Any], path: Path, names: Mapping[int, str]) -> list[Problem]:
    from scipy import ndimage

    from autoseg.representations.maps import boxes, largest_pieces, numbered, sizes

    small, count = numbered(labels)
    if not count:
        return []
    old = np.unique(labels[labels > 0])
    apart = np.unique(small[(small > 0) & ~largest_pieces(small)])
    if count == 1 and len(apart):
        return [
            Problem(
                "warning",
                path,
                f"All objects have one id, {_name(old[0], names)}, though they are in "
                "several pieces, as in a mask of the foreground.",
                "Give each object an id of its own, unless they are one.",
            )
        ]
    holes = []
    for number, box in enumerate(boxes(small), 1):
        mask = small[box] == number
        if mask.any() and (ndimage.binary_fill_holes(mask) & (small[box] == 0)).any():
            holes.append(number)
    single = np.flatnonzero(sizes(small) == 1)
    remarks = [
        (
            "are in several pieces",
            apart.tolist(),
            "Give each piece an id of its own, unless they are one object.",
        ),
        (
            "are of a single voxel",
            single.tolist(),
            "Erase them, if they are slips of the pen.",
        ),
        ("have holes", holes, "Fill them, if the objects have none."),
    ]
    problems = _background(small, old, path, names)
    for what, numbers, fix in remarks:
        if numbers:
            named = some_of(
                [_name(old[number - 1], names) for number in numbers], SHOWN
            )
            text = f"{len(numbers)} of {count} instances {what}: {named}."
            problems.append(Problem("warning", path, text, fix))
    top = int(old[-1])
    if not names and top in WRAPPED and len(old) == top:
        problems.append(
            Problem(
                "warning",
                path,
                f"It uses every id up to {top}, the largest of {WRAPPED[top]} bit: ids "
                "beyond may have wrapped and name two instances.",
                "Write the map with more bits.",
            )
        )
    return problems


def _background(
    small: NDArray[Any], old: NDArray[Any], path: Path, names: Mapping[int, str]
) -> list[Problem]:
    """Return whether an id seems to be the background."""
    counts = np.bincount(small.ravel())
    largest = int(np.argmax(counts[1:])) + 1
    if counts[0] or 2 * counts[largest] <= small.size or len(old) == 1:
        return []
    return [
        Problem(
            "warning",
            path,
            f"No voxel is 0, and {_name(old[largest - 1], names)} fills "
            f"{100 * counts[largest] / small.size:.0f} %: is it the background?",
            "Give the background the value 0, unless it is an object.",
        )
    ]


def _name(instance: Any, names: Mapping[int, str]) -> str:
    return names.get(int(instance), str(int(instance)))
