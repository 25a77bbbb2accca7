"""What can be wrong with landmarks: of one case, and of all of them together."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.fingerprint._problem import Problem
from autoseg.spec.dataset import Dataset
from autoseg.spec.points import Points

SAME = 1e-3  # voxels: two landmarks nearer than that are one place
FAR = 2.0  # voxels outside, from which on the frame may be wrong
LEAST_CASES = 8  # before sides are called odd
WRONG_SHARE = 0.1  # of the cases with swapped sides: more than that is no mistake


def point_problems(points: Points, path: Path) -> list[Problem]:
    """Return what is wrong with the points of one case.

    Parameters
    ----------
    points : Points
        On the image's grid.
    path : Path
        Their file.

    Returns
    -------
    list of Problem
        Points outside of the image, with the change of axes that would put them in, and
        landmarks at one place.
    """
    present = points.coordinates[points.present]
    names = [n for n, there in zip(points.names, points.present, strict=True) if there]
    if not names:
        found = "None of its landmarks is present."
        fix = "Look whether names and status in the file are those of dataset.json."
        return [Problem("warning", path, found, fix)]
    problems = []
    outside = ~inside(present, points.shape)
    if outside.any():
        which = ", ".join(itertools.compress(names, outside))
        found = (
            f"{outside.sum()} of {len(names)} points are outside of the image of "
            f"{' x '.join(map(str, points.shape))} voxels: {which}."
        )
        # A slip of the hand is no other frame.
        beyond = np.maximum(-0.5 - present, present - np.asarray(points.shape) + 0.5)
        change = mistaken_frame(present, points.shape) if beyond.max() > FAR else ""
        fix = "Correct the points."
        if change:
            fix = f"{change}: then all are inside. See `coordinates` in dataset.json."
        problems.append(Problem("error" if change else "warning", path, found, fix))
    for i, j in itertools.combinations(range(len(names)), 2):
        if np.abs(present[i] - present[j]).max() < SAME:
            problems.append(
                Problem(
                    "warning",
                    path,
                    f"{names[i]} and {names[j]} are at the same place.",
                    "Look whether one was copied from the other.",
                )
            )
    return problems


def inside(places: NDArray[Any], shape: Sequence[int]) -> NDArray[np.bool_]:
    """Return which places (L, D) are in a voxel of a grid."""
    within = (places >= -0.5) & (places < np.asarray(shape) - 0.5)
    found: NDArray[np.bool_] = np.asarray(within.all(1))
    return found


def mistaken_frame(places: NDArray[Any], shape: Sequence[int]) -> str:
    """Return which change of axes puts all places into the image; empty: none does.

    Parameters
    ----------
    places : ndarray, shape (L, D)
        Some of them outside.
    shape : sequence of int, length D
        Of the image, slowest axis first.

    Returns
    -------
    str
        The first that does, of: axes in reverse order; axes that run backwards; both.

    Examples
    --------
    >>> mistaken_frame(np.array([[5.0, 30.0]]), (40, 10))
    'Reverse the order of the axes'
    """
    dim = len(shape)
    letters = "zyx"[-dim:]
    turns = [("", places), ("Reverse the order of the axes", places[:, ::-1])]
    flips = [c for n in range(dim + 1) for c in itertools.combinations(range(dim), n)]
    changes = list(itertools.product(flips, turns))
    for axes, (words, turned) in sorted(
        changes, key=lambda c: len(c[0]) + bool(c[1][0])
    ):
        changed = turned.copy()
        for axis in axes:
            changed[:, axis] = -changed[:, axis]
            if changed[:, axis].max() < 0:  # counted from the other end
                changed[:, axis] += shape[axis] - 1
        if (axes or words) and inside(changed, shape).all():
            named = " and ".join(letters[axis] for axis in axes)
            flip = f"change the sign of {named}" if axes else ""
            said = " and ".join(part for part in (words, flip) if part)
            return said[:1].upper() + said[1:]
    return ""


def landmark_problems(dataset: Dataset, facts: Sequence[Any]) -> list[Problem]:
    """Return what is wrong with the landmarks of all cases together.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    facts : sequence of CaseFacts
        With ``points`` and ``geometry`` of the cases.

    Returns
    -------
    list of Problem
        Landmarks that no case has, and cases whose sides are swapped.
    """
    given = [fact for fact in facts if fact.points is not None]
    if not given:
        return []
    where = dataset.folder / "dataset.json"
    names = given[0].points.names
    seen = {
        name
        for fact in given
        for name, there in zip(names, fact.points.present, strict=True)
        if there
    }
    problems = [
        Problem(
            "warning",
            where,
            f"No training case has the landmark {name!r}.",
            "It cannot be learnt: take it out, or look how files call it.",
        )
        for name in names
        if name not in seen
    ]
    return problems + _side_problems(dataset, given)


def _side_problems(dataset: Dataset, given: Sequence[Any]) -> list[Problem]:
    """Return cases in which the members of a pair stand as in a mirror."""
    from autoseg.tasks import TASKS

    kind = TASKS[dataset.task]
    task: Any = kind(**kind.from_dataset(dataset))
    index = {name: i for i, name in enumerate(task.classes)}
    cloud = np.stack([f.points.coordinates * f.geometry.spacing for f in given])
    problems = []
    for one, other in task.pairs:
        apart = cloud[:, index[other]] - cloud[:, index[one]]
        seen = np.isfinite(apart).all(1)
        if seen.sum() < LEAST_CASES:
            continue
        axis = int(np.argmax(np.abs(np.median(apart[seen], axis=0))))
        usual = np.sign(np.median(apart[seen, axis]))
        swapped = seen & (np.sign(apart[:, axis]) == -usual)
        if 0 < swapped.sum() <= WRONG_SHARE * seen.sum():
            problems += [
                Problem(
                    "warning",
                    fact.case.annotation,
                    f"{one} and {other} stand the other way round than in other cases.",
                    "Look whether left and right were swapped.",
                )
                for fact in itertools.compress(given, swapped)
            ]
    return problems
