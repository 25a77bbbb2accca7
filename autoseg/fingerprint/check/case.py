"""What can be said about one case by reading its files once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.instance_files import (
    crowds_of,
    files_of,
    is_many_files,
    names_of,
)
from autoseg.errors import AutosegError
from autoseg.fingerprint.check.frames import has_convention
from autoseg.fingerprint.check.instances import crowd_problems, instance_problems
from autoseg.fingerprint.check.points import point_problems, strange_names
from autoseg.fingerprint.check.problem import Problem, problem_of
from autoseg.formats.base import find_format, known_endings, match_ending, read_labels
from autoseg.geometry.orientation import orientation_of
from autoseg.parallel import MemoryBudget, loaded_bytes
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.points import Points

Array = NDArray[Any]

SPACING_TOLERANCE = 1e-3  # relative; headers in float32 and in text differ by less
DIRECTION_TOLERANCE = 0.01  # of a cosine
ORIGIN_TOLERANCE = 0.1  # of the shortest edge of a voxel
WORKING_SHARE = 2  # bytes in work for each byte of a case's files in memory
LOOK = (
    "Voxels are matched by their index. Look at both in a viewer: if they lie on each "
    "other, copy the image's header, else resample the second to the image's grid."
)


@dataclass
class CaseFacts:
    """What was found in a case's files.

    Parameters
    ----------
    case : Case
        The case.
    problems : list of Problem
        What is wrong with it.
    geometry : Geometry or None
        Of its first image file that could be read.
    digest : str or None
        Equal for equal voxels.
    values : mapping of int to int, or None
        Voxels of each value of a semantic annotation; None if it was not read.
    empty : bool
        Whether the annotation has nothing but zeros.
    points : Points or None
        The annotation of a landmark data set.
    """

    case: Case
    problems: list[Problem] = field(default_factory=list)
    geometry: Geometry | None = None
    digest: str | None = None
    values: Mapping[int, int] | None = None
    empty: bool = False
    points: Points | None = None

    @property
    def orientation(self) -> str | None:
        """Orientation of the image, None if it has none."""
        if self.geometry is None or self.geometry.unit == "px":
            return None
        return orientation_of(self.geometry)


def look_at(case: Case, dataset: Dataset, task: Any, memory: MemoryBudget) -> CaseFacts:
    """Read the files of a case, and note everything that is wrong with them.

    Parameters
    ----------
    case : Case
        A training case.
    dataset : Dataset
        The data set.
    task : Task or None
        What the annotations mean, if that is known.
    memory : MemoryBudget
        Of all threads together.

    Returns
    -------
    CaseFacts
        Never raises because of a file.
    """
    facts = CaseFacts(case)
    largest = max((loaded_bytes([path]) for path in case.images), default=0)
    with memory.take(WORKING_SHARE * largest):
        _look_at_images(facts, dataset)
    if case.annotation is None or not case.annotation.exists():
        facts.problems.append(
            Problem(
                "error",
                case.annotation or dataset.folder / "labelsTr" / case.id,
                f"The image {case.id} has no annotation.",
                "Put it there, or take the image out of imagesTr.",
            )
        )
        return facts
    files = [path for path in files_of(case) if path not in case.images]
    largest = max((loaded_bytes([path]) for path in files), default=0)
    with memory.take(WORKING_SHARE * largest):
        _look_at_annotation(facts, case.annotation, dataset, task)
    return facts


def _look_at_images(facts: CaseFacts, dataset: Dataset) -> None:
    paths, wanted = facts.case.images, len(dataset.channel_names) or None
    share = wanted if len(paths) == 1 else 1 if len(paths) == wanted else None
    digest = hashlib.blake2b(digest_size=16)
    found, complete = 0, True
    first: Path | None = None
    for path in paths:
        if not path.is_file():
            facts.problems.append(
                Problem(
                    "error",
                    path,
                    f"A file of the image {facts.case.id} is missing.",
                    "Put it there, or take the case out.",
                )
            )
            complete = False
            continue
        try:
            reader = find_format(path, dataset.format)
            image = reader.read_image(
                [path], spacing=dataset.spacing, unit=dataset.unit, channels=share
            )
        except Exception as error:  # whatever a library raises on a broken file
            facts.problems.append(_unreadable(error, path))
            complete = False
            continue
        found += len(image.array)
        digest.update(repr(image.array.shape).encode())
        digest.update(image.array.data)
        facts.problems += _intensity_problems(image.array, path)
        facts.problems += [
            Problem("warning", path, f"Odd header: {remark}.", "Correct the header.")
            for remark in reader.remarks(image.geometry)
        ]
        if facts.geometry is None or first is None:
            facts.geometry, first = image.geometry, path
        else:
            facts.problems += _channel_problems(facts.geometry, first, image, path)
    if complete:
        facts.digest = digest.hexdigest()
        facts.problems += _count_problems(facts.case, found, dataset)


def _count_problems(case: Case, found: int, dataset: Dataset) -> list[Problem]:
    wanted = len(dataset.channel_names)
    if not wanted or found == wanted:
        return []
    names = ", ".join(path.name for path in case.images)
    return [
        Problem(
            "error",
            case.images[0],
            f"The image {case.id} has {found} channels in {len(case.images)} file(s) "
            f"({names}); dataset.json names {wanted}.",
            "Correct `channel_names`, or take the files away that do not belong there.",
        )
    ]


def _unreadable(error: Exception, path: Path) -> Problem:
    if isinstance(error, AutosegError):
        return problem_of(error, path)
    return Problem(
        "error",
        path,
        f"It cannot be read ({type(error).__name__}: {error}).",
        "Get or write it again.",
    )


def _intensity_problems(array: Array, path: Path) -> list[Problem]:
    problems = []
    # The sum of finite numbers is finite in float64, and takes no memory.
    if not np.isfinite(array.sum(dtype=np.float64)):
        wrong = np.argwhere(~np.isfinite(array))
        where = tuple(int(i) for i in wrong[0][1:])
        problems.append(
            Problem(
                "error",
                path,
                f"{len(wrong)} voxels are not finite (NaN or infinite), the first at "
                f"{where}.",
                "Replace them by a number, such as the value of air.",
            )
        )
    elif any(channel.min() == channel.max() for channel in array):
        problems.append(
            Problem(
                "warning",
                path,
                f"All its voxels have the value {array.flat[0]:g}."
                if len(array) == 1
                else "One of its channels has the same value everywhere.",
                "Look whether the right file is there.",
            )
        )
    return problems


def _channel_problems(
    geometry: Geometry, path: Path, image: Any, other: Path
) -> list[Problem]:
    """Compare the grid of a channel's file with that of the first."""
    shape, second = geometry.shape, image.geometry
    if second.shape != shape:
        return [
            Problem(
                "error",
                other,
                f"Its shape {second.shape} is not that of {path.name}, {shape}.",
                "Resample the channels of a case to one grid.",
            )
        ]
    differing = _differences(geometry, second)
    return [
        Problem(
            # Reading the case refuses these two.
            "error" if what in ("spacing", "direction") else "warning",
            other,
            f"Its {what} {ours} is not that of {path.name}, {theirs}.",
            "Resample the channels of a case to one grid, or correct the header.",
        )
        for what, theirs, ours in differing
    ]


def _differences(a: Geometry, b: Geometry) -> list[tuple[str, Any, Any]]:
    """Return what differs between two grids of one shape: name and both values."""
    if "px" in (a.unit, b.unit):
        return []  # one of the files has no place in the world
    found: list[tuple[str, Any, Any]] = []
    if not np.allclose(a.spacing, b.spacing, rtol=SPACING_TOLERANCE, atol=0):
        found.append(("spacing", _short(a.spacing), _short(b.spacing)))
    if not np.allclose(a.direction, b.direction, rtol=0, atol=DIRECTION_TOLERANCE):
        codes = (orientation_of(a), orientation_of(b))
        if codes[0] == codes[1]:
            codes = (_short(a.direction), _short(b.direction))
        found.append(("direction", *codes))
    else:  # turned axes have their origin elsewhere
        apart = np.linalg.norm(np.subtract(a.origin, b.origin))
        if apart > ORIGIN_TOLERANCE * min(a.spacing):
            found.append(("origin", _short(a.origin), _short(b.origin)))
    return found


def _short(values: Sequence[float]) -> str:
    return f"({', '.join(f'{value:.4g}' for value in values)})"


def _look_at_annotation(
    facts: CaseFacts, path: Path, dataset: Dataset, task: Any
) -> None:
    kind = getattr(task, "kind", None)
    if kind is None:
        kind = "labels" if match_ending(path.name, known_endings()) else "points"
    if kind == "points":
        if task is None or facts.geometry is None or not has_convention(dataset):
            facts.problems += _json_problems(path)
            return
        try:
            facts.points, _ = read_annotation(
                path, dataset, task, image=facts.geometry, case_id=facts.case.id
            )
        except Exception as error:  # whatever a broken file makes a library raise
            facts.problems.append(_unreadable(error, path))
            return
        facts.problems += point_problems(facts.points, path, facts.geometry, dataset)
        facts.problems += strange_names(
            path, dataset, facts.case.id, facts.geometry, facts.points.names
        )
        return
    image = facts.geometry
    try:
        if dataset.task != "semantic" and task is not None:
            labels, geometry = read_annotation(
                path, dataset, task, image=image, case_id=facts.case.id
            )
            labels = np.asarray(labels)
            names = None
            if is_many_files(path):
                names = names_of(path, facts.case.id)
                crowds = crowds_of(path, facts.case.id)
                facts.problems += crowd_problems(path, crowds)
            facts.problems += instance_problems(labels, path, names)
        else:
            labels, geometry = read_labels(path, dataset)
    except Exception as error:  # whatever a library raises on a broken file
        facts.problems.append(_unreadable(error, path))
        return
    if facts.geometry is not None:
        facts.problems += _grid_problems(facts.geometry, geometry, path)
    facts.empty = not labels.any()
    if dataset.task == "semantic":
        facts.values = _count_values(labels)


def _json_problems(path: Path) -> list[Problem]:
    if path.suffix.lower() != ".json":
        return []
    try:
        json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        return [Problem("error", path, f"It is no JSON ({error}).", "Write it again.")]
    return []


def _grid_problems(image: Geometry, labels: Geometry, path: Path) -> list[Problem]:
    if labels.shape != image.shape:
        fix = "Resample the annotation to the image's grid, by nearest neighbor."
        if path.name.lower().endswith(".seg.nrrd"):
            fix = (
                "Export it on the image's grid; segmentation editors save only the box "
                "around the segments."
            )
        elif sorted(labels.shape) == sorted(image.shape):
            fix = "Its axes are in another order: transpose the annotation."
        found = f"Its shape {labels.shape} is not that of the image, {image.shape}."
        return [Problem("error", path, found, fix)]
    return [
        Problem(
            "warning",
            path,
            f"Its {what} {ours} is not that of the image, {theirs}.",
            LOOK,
        )
        for what, theirs, ours in _differences(image, labels)
    ]


def _count_values(labels: Array) -> dict[int, int]:
    """Return the voxels of each value."""
    if labels.size and labels.min() >= 0 and labels.max() < 1 << 16:
        counts = np.bincount(labels.ravel())
        return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
    values, counts = np.unique(labels, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
