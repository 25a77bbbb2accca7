"""Points: outside of the image, at one place, unknown names, and swapped sides."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.frames import has_convention, strayed
from autoseg.datasets.points import conventions, is_origin, read_points
from autoseg.datasets.vain import never_present
from autoseg.errors import AutosegError, some_of
from autoseg.fingerprint.check.drawn import Drawn, drawn_points
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.kinds import CHECK_KINDS
from autoseg.fingerprint.check.kinds.base import CheckKind, json_problems
from autoseg.fingerprint.check.problem import Problem
from autoseg.formats.base import known_endings
from autoseg.pointfiles.base import cases_in, point_endings
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import UNKNOWN, Points

CROWDED = 2.0  # voxels: no image is made of so small a scene
SAME = 1e-3  # voxels: two landmarks nearer than that are one place
SHOWN = 5  # names in a message
LEAST_SAME = 3  # cases with a landmark at one place, before that is called odd
SAME_SHARE = 0.1  # of the cases: in fewer it may be chance
CORNER = 0.52  # of the image: points of one of half the size, and some rounding
LEAST_CORNER = 5, 20  # cases and points, before their lying there is no chance
LEAST_CASES = 8  # before sides are called odd
WRONG_SHARE = 0.1  # of the cases with swapped sides: more than that is no mistake


@CHECK_KINDS.register
class PointsCheck(CheckKind):
    """Files of points, of one case or of all, and label maps with a cube for each."""

    @property
    def endings(self) -> tuple[str, ...]:
        return (*super().endings, *point_endings())

    def look(self, facts: CaseFacts, path: Path) -> None:
        known = facts.geometry is not None and has_convention(self.dataset)
        if self.task is None or known:
            super().look(facts, path)
        else:
            facts.problems += json_problems(path)

    def look_inside(self, facts: CaseFacts, path: Path, annotation: Any) -> None:
        if self.task is None or facts.geometry is None:
            return
        facts.found = annotation
        facts.problems += point_problems(annotation, path, facts.geometry, self.dataset)
        facts.problems += strange_names(
            path, self.dataset, facts.case.id, facts.geometry, annotation.names
        )

    def drawn(self, annotation: Any) -> Drawn | None:
        if self.task is None:  # nobody knows whether it is a map or points
            return super().drawn(annotation)
        present = int(np.count_nonzero(annotation.present))
        return drawn_points(np.asarray(annotation.coordinates), present)

    def unused(self, ids: Set[str]) -> Iterator[Problem]:
        yield from _of_no_image(self.dataset, ids)

    def together(self, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
        given = [fact for fact in facts if fact.found is not None]
        if given and all(fact.blank for fact in facts):
            yield Problem(
                "error",
                self.dataset.folder / "imagesTr",
                "Every image is 0 everywhere: there is nothing to see where the points "
                "are.",
                "Put the right images there.",
            )
        if given:
            where = self.dataset.folder / "dataset.json"
            vain = never_present(
                self.dataset, any(f.found.present.any() for f in given)
            )
            if vain is not None:
                yield Problem("error", *vain)
                return
            yield from _never_seen(where, given)
            yield from _unknown_notes(where, given)
            yield from _one_place(where, given)
            yield from _one_corner(where, given)
            yield from _swapped_sides(self.task, given)


def point_problems(
    points: Points,
    path: Path,
    geometry: Geometry | None = None,
    dataset: Dataset | None = None,
) -> list[Problem]:
    """Return what is wrong with the points of one case.

    Parameters
    ----------
    points : Points
        On the image's grid.
    path : Path
        Their file.
    geometry : Geometry, optional
        Of the image; by default voxels of 1, at the origin.
    dataset : Dataset, optional
        What is said of coordinates.

    Returns
    -------
    list of Problem
        Points outside of the image, with what would put them in, and landmarks at one
        place.
    """
    present = points.coordinates[points.present]
    names = [n for n, there in zip(points.names, points.present, strict=True) if there]
    if not names:
        found = "None of its landmarks is present."
        fix = "Look whether names and status in the file are those of dataset.json."
        return [Problem("warning", path, found, fix)]
    geometry = geometry or Geometry(shape=points.shape, spacing=(1.0,) * points.dim)
    problems = []
    found_outside = strayed(points, geometry, path, dataset)
    if found_outside is not None:
        found, fix, severe = found_outside
        problems.append(Problem("error" if severe else "warning", path, found, fix))
    if len(names) > 2 and (np.ptp(present, axis=0) < CROWDED).all():
        problems.append(
            Problem(
                "warning",
                path,
                f"All {len(names)} points are within {CROWDED:g} voxels.",
                "Are they fractions of the image's size? Give voxels, or millimeters.",
            )
        )
        return problems
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


def _never_seen(where: Path, given: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield the landmarks that no case has."""
    names = given[0].found.names
    seen = {
        name
        for fact in given
        for name, there in zip(names, fact.found.present, strict=True)
        if there
    }
    for name in names:
        if name not in seen:
            yield Problem(
                "warning",
                where,
                f"No training case has the landmark {name!r}.",
                "It cannot be learnt: take it out, or look how files call it.",
            )


def _unknown_notes(where: Path, given: Sequence[CaseFacts]) -> list[Problem]:
    """Return of how many cases nobody knows where a landmark is."""
    status = np.stack([fact.found.status for fact in given])
    counts = (status == UNKNOWN).sum(axis=0)
    rare = [
        f"{name} in {count} of {len(status)} cases"
        for name, count in zip(given[0].found.names, counts, strict=True)
        if 0 < count < len(status)
    ]
    if not rare:
        return []
    return [
        Problem(
            "note",
            where,
            f"Landmarks are unknown: {some_of(rare, SHOWN)}.",
            'They count for nothing. If they are not there, say "missing_means": '
            '"absent".',
        )
    ]


def _one_corner(where: Path, given: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield that all points of all cases are in the half of images where counts begin.

    So it is if they were set on images that were made smaller.
    """
    shares = [
        fact.found.coordinates[fact.found.present] / np.array(fact.geometry.shape)
        for fact in given
        if fact.geometry is not None
    ]
    placed = np.concatenate(shares) if shares else np.empty((0, 1))
    if len(given) < LEAST_CORNER[0] or len(placed) < LEAST_CORNER[1]:
        return
    ends = placed.max(axis=0)
    if (ends[-2:] <= CORNER).all():
        yield Problem(
            "warning",
            where,
            f"No point of any case lies beyond {100 * ends[-1]:.0f} % of its image "
            f"along x, or {100 * ends[-2]:.0f} % along y.",
            "Look whether points were set on images that had been made smaller: then "
            "multiply them by as much.",
        )


def _one_place(where: Path, given: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield landmarks that lie at exactly one place in several cases.

    Tools write 0, 0 for a point that nobody set.
    """
    for row, name in enumerate(given[0].found.names):
        there = [fact for fact in given if fact.found.present[row]]
        zero = [
            fact.case.id
            for fact in there
            if is_origin(fact.found.coordinates[row], fact.geometry)
        ]
        if len(zero) > 1:
            yield _placed(where, name, "0 along all axes", zero, len(given))
            continue
        by_place: dict[tuple[float, ...], list[str]] = {}
        for fact in there:
            place = tuple(fact.found.coordinates[row].tolist())
            by_place.setdefault(place, []).append(fact.case.id)
        place, cases = max(by_place.items(), key=_count, default=((), []))
        many = len(cases) >= max(LEAST_SAME, SAME_SHARE * len(given))
        if many and len(cases) < len(there):
            text = ", ".join(f"{value:g}" for value in place)
            at = f"exactly ({text}), slowest axis first"
            yield _placed(where, name, at, cases, len(given))


def _count(entry: tuple[Any, Sequence[str]]) -> int:
    return len(entry[1])


def _placed(
    where: Path, name: str, place: str, cases: Sequence[str], total: int
) -> Problem:
    return Problem(
        "warning",
        where,
        f"The landmark {name!r} is at {place} in {len(cases)} of {total} cases: "
        f"{some_of(cases)}.",
        "If it was not set or not there, leave it empty in the file: no coordinates, "
        "or a status.",
    )


def strange_names(
    path: Path,
    dataset: Dataset,
    case_id: str,
    geometry: Geometry,
    names: Sequence[str],
) -> list[Problem]:
    """Return landmarks of a file that the data set does not know.

    Parameters
    ----------
    path : Path
        The file, which was read before.
    dataset : Dataset
        What is said of coordinates.
    case_id : str
        The case.
    geometry : Geometry
        Of its image.
    names : sequence of str
        The data set's landmarks.
    """
    if path.name.lower().endswith(known_endings()):
        return []  # cubes in a label map have numbers
    points, _ = read_points(path, dataset, geometry, case_id)
    strange = [name for name in points.names if name not in names]
    if not strange:
        return []
    close = difflib.get_close_matches(strange[0], names, n=1)
    hint = f" Is {strange[0]!r} meant to be {close[0]!r}?" if close else ""
    return [
        Problem(
            "warning",
            path,
            f"It has {', '.join(map(repr, strange[:SHOWN]))}, which `landmarks` in "
            "dataset.json does not name.",
            f"Correct the names, or add them.{hint}",
        )
    ]


def _swapped_sides(task: Any, given: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield cases in which the members of a pair stand as in a mirror."""
    index = {name: i for i, name in enumerate(task.classes)}
    cloud = np.stack(
        [f.found.coordinates * f.geometry.spacing for f in given if f.geometry]
    )
    for one, other in task.pairs:
        apart = cloud[:, index[other]] - cloud[:, index[one]]
        seen = np.isfinite(apart).all(1)
        if seen.sum() < LEAST_CASES:
            continue
        axis = int(np.argmax(np.abs(np.median(apart[seen], axis=0))))
        usual = np.sign(np.median(apart[seen, axis]))
        swapped = seen & (np.sign(apart[:, axis]) == -usual)
        if 0 < swapped.sum() <= WRONG_SHARE * seen.sum():
            for fact in itertools.compress(given, swapped):
                yield Problem(
                    "warning",
                    fact.case.annotation or fact.case.images[0],
                    f"{one} and {other} stand the other way round than in other cases.",
                    "Look whether left and right were swapped.",
                )


def _of_no_image(dataset: Dataset, ids: Set[str]) -> Iterator[Problem]:
    """Yield the cases of one file for all that have no image."""
    for path in {case.annotation for case in dataset.training if case.annotation}:
        try:
            there = cases_in(path, conventions(dataset)[0]) if path.is_file() else ()
        except AutosegError:
            continue  # each of its cases says why
        lost = [case for case in there if case not in ids]
        if lost and len(there) > 1:
            yield Problem(
                "warning",
                path,
                f"It has points of {', '.join(lost[:5])}, of which there is no image"
                + (f", and of {len(lost) - 5} more." if len(lost) > 5 else "."),
                "Put the images into imagesTr, or take the points away.",
            )
