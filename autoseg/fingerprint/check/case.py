"""What can be said about one case by reading its files once."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.instance_files import files_of
from autoseg.errors import amount, stops_everything
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.headers import channel_problems, header_problems
from autoseg.fingerprint.check.kinds.base import CheckKind
from autoseg.fingerprint.check.problem import Problem, denied, unreadable
from autoseg.fingerprint.check.values import value_problems
from autoseg.fingerprint.extremes import ends_of, find_extreme
from autoseg.formats.base import find_format
from autoseg.geometry.crop import hull, nonzero_range, whole_box
from autoseg.geometry.mapped import in_rows, keeping_to
from autoseg.parallel import MemoryBudget, loaded_bytes
from autoseg.spec.arrays.windowed import Windowed
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.channels import misnamed
from autoseg.spec.foreign.place import is_there, lost, place_of
from autoseg.spec.image import NONZERO, Geometry

Array = NDArray[Any]

RENAME = "Look at which is which: rename the files, or correct `channel_names`."
WORKING_SHARE = 2  # bytes in work for each byte of a case's files in memory


def look_at(
    case: Case, dataset: Dataset, kind: CheckKind, memory: MemoryBudget
) -> CaseFacts:
    """Read the files of a case, and note everything that is wrong with them.

    Parameters
    ----------
    case : Case
        A training case.
    dataset : Dataset
        The data set.
    kind : CheckKind
        What is looked at in annotations.
    memory : MemoryBudget
        Of all threads together.

    Returns
    -------
    CaseFacts
        Never raises because of a file.
    """
    facts = CaseFacts(case)
    with _denial_told(facts):
        largest = max((loaded_bytes([path]) for path in case.images), default=0)
        with keeping_to(memory.total), memory.take(WORKING_SHARE * largest):
            _look_at_images(facts, dataset)
    if case.annotation is None or not is_there(case.annotation):
        facts.missing = True
        return facts
    folders = filter(Path.is_dir, map(place_of, case.images))
    if any(denied(folder) in facts.problems for folder in folders):
        return facts  # many annotations need the image, and would say the same
    with _denial_told(facts):
        files = [path for path in files_of(case) if path not in case.images]
        largest = max((loaded_bytes([path]) for path in files), default=0)
        with keeping_to(memory.total), memory.take(WORKING_SHARE * largest):
            kind.look(facts, case.annotation)
    return facts


@contextmanager
def _denial_told(facts: CaseFacts) -> Iterator[None]:
    """Note that a folder of slices or masks may not be read."""
    try:
        yield
    except PermissionError as error:
        where = facts.case.annotation or facts.case.images[0]
        problem = denied(Path(error.filename or where))
        if problem not in facts.problems:
            facts.problems.append(problem)


@dataclass
class _Seen:
    """What the files of an image have shown so far.

    Parameters
    ----------
    channels : int
        How many they have.
    complete : bool
        Whether all of them could be read.
    digest : hash
        Of all voxels.
    boxes : list of tuple of slice
        Of what is not 0, of each file that has such.
    twins : list of (Path, str)
        Digests of the channels that ought to differ from each other.
    first : Path or None
        Whose geometry is that of the case.
    """

    channels: int = 0
    complete: bool = True
    digest: Any = field(default_factory=lambda: hashlib.blake2b(digest_size=16))
    boxes: list[tuple[slice, ...]] = field(default_factory=list)
    twins: list[tuple[Path, str]] = field(default_factory=list)
    first: Path | None = None


def _look_at_images(facts: CaseFacts, dataset: Dataset) -> None:
    seen, paths = _Seen(), facts.case.images
    for path in paths:
        if not is_there(path):
            facts.problems.append(_missing(facts.case, path))
            seen.complete = False
            continue
        try:
            reader = find_format(path, dataset.format)
            image = reader.read_image(
                [path],
                spacing=dataset.spacing,
                unit=dataset.unit,
                channels=_channels_each(facts.case, dataset),
                names=dataset.channel_names if len(paths) == 1 else (),
                lazily=True,
            )
        except Exception as error:  # whatever a library raises on a broken file
            if stops_everything(error):
                raise
            facts.problems.append(unreadable(error, path))
            seen.complete = False
            continue
        facts.called += reader.called(path)
        array: Any = image.array
        if isinstance(array, Windowed):
            array = array.each(lambda part: part.astype(np.float32), np.float32)
        _look_at_voxels(facts, dataset, path, array, reader.is_picture(path), seen)
        _look_at_grid(facts, path, image.geometry, seen)
    if seen.complete:
        _look_at_all(facts, dataset, seen)


def _channels_each(case: Case, dataset: Dataset) -> int | None:
    """Return how many channels each file of a case must have; None: nobody knows."""
    wanted = len(dataset.channel_names) or None
    if len(case.images) == 1:
        return wanted
    return 1 if len(case.images) == wanted else None


def _look_at_voxels(
    facts: CaseFacts,
    dataset: Dataset,
    path: Path,
    array: Any,
    is_picture: bool,
    seen: _Seen,
) -> None:
    """Look at what a file of an image holds, (C, *S)."""
    paths, names = facts.case.images, dataset.channel_names
    seen.channels += len(array)
    seen.digest.update(repr(array.shape).encode())
    digests = [_digest(channel) for channel in array]
    seen.digest.update("".join(digests).encode())
    box = nonzero_range(array)
    seen.boxes += [] if box is None else [box]
    odd = _intensity_problems(array, path)
    facts.problems += odd
    if odd:
        return
    extremes = map(find_extreme, array)
    facts.extremes += [(path, one) for one in extremes if one is not None]
    each = _channels_each(facts.case, dataset)
    known = names[paths.index(path) :] if each == 1 else ()
    known = known or (names if each == len(array) else ())
    ends = [ends_of(channel) for channel in array]
    if len(paths) > 1 or (len(array) > 1 and not is_picture):
        pairs = zip(digests, ends, strict=True)
        seen.twins += [(path, one) for one, (low, high) in pairs if low < high]
    facts.ends += ends
    facts.problems += value_problems(ends, path, known)


def _look_at_grid(
    facts: CaseFacts, path: Path, geometry: Geometry, seen: _Seen
) -> None:
    """Look at the header of a file of an image."""
    facts.problems += header_problems(geometry, path)
    if facts.geometry is None or seen.first is None:
        facts.geometry, seen.first = geometry, path
    else:
        facts.problems += channel_problems(facts.geometry, seen.first, geometry, path)


def _look_at_all(facts: CaseFacts, dataset: Dataset, seen: _Seen) -> None:
    """Look at what the files of an image, which could all be read, are together."""
    paths = facts.case.images
    facts.digest = seen.digest.hexdigest()
    facts.blank = not seen.boxes
    if dataset.crop == NONZERO:
        facts.box = _common_box(facts, seen.boxes)
    facts.problems += _count_problems(facts.case, seen.channels, dataset)
    facts.problems += _twin_problems(seen.twins)
    if len(paths) > 1:  # of one file, its header says so
        for remark in misnamed(facts.called, dataset.channel_names):
            said = f"Odd header: {remark}."
            facts.problems.append(Problem("warning", paths[0], said, RENAME))


def _digest(channel: Any) -> str:
    """Return a text that is equal for channels with the same voxels."""
    digest = hashlib.blake2b(digest_size=16)
    for _, part in in_rows(channel):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _twin_problems(channels: Sequence[tuple[Path, str]]) -> Iterator[Problem]:
    """Yield channels of one image that are the same; of a picture they may be gray."""
    first: dict[str, Path] = {}
    for path, digest in channels:
        if digest in first:
            other = first[digest]
            same = "of this file" if other == path else f"that is in {other.name}"
            yield Problem(
                "warning",
                path,
                f"A channel has the same voxels as another one {same}.",
                "Look whether one of them was copied in the place of the other.",
            )
        first.setdefault(digest, path)


def _missing(case: Case, path: Path) -> Problem:
    return Problem(
        "error",
        path,
        f"A file of the image {case.id} is missing{lost(path)}.",
        "Put it there, or take the case out.",
    )


def _common_box(
    facts: CaseFacts, boxes: list[tuple[slice, ...]]
) -> tuple[slice, ...] | None:
    """Return the box of a case from those of its files, None if it is all of it."""
    if not boxes or facts.geometry is None or len({len(box) for box in boxes}) > 1:
        return None
    box = functools.reduce(hull, boxes)
    return None if box == whole_box(facts.geometry.shape) else box


def _count_problems(case: Case, found: int, dataset: Dataset) -> list[Problem]:
    wanted = len(dataset.channel_names)
    if not wanted or found == wanted:
        return []
    names = ", ".join(path.name for path in case.images)
    return [
        Problem(
            "error",
            case.images[0],
            f"The image {case.id} has {amount(found, 'channel')} in "
            f"{amount(len(case.images), 'file')} "
            f"({names}); dataset.json names {wanted}.",
            "Correct `channel_names`, or take the files away that do not belong there.",
        )
    ]


def _parts(array: Any) -> Iterator[tuple[tuple[int, int], Array]]:
    """Yield channel and first row of each part of an image (C, *S), and the part."""
    for number, channel in enumerate(array):
        for rows, part in in_rows(channel):
            yield (number, rows.start), part


def _intensity_problems(array: Any, path: Path) -> list[Problem]:
    problems = []
    # The sum of finite numbers is finite in float64, and takes no memory.
    sums = [part.sum(dtype=np.float64) for _, part in _parts(array)]
    if not np.isfinite(np.sum(sums)):
        count, where = _not_finite(array)
        problems.append(
            Problem(
                "error",
                path,
                f"{amount(count, 'voxel')} not finite (NaN, infinite, or beyond "
                f"3.4e38), the first at {where}.",
                "Replace them by a number, such as the value of air.",
            )
        )
    elif any(channel.min() == channel.max() for channel in array):
        problems.append(
            Problem(
                "warning",
                path,
                f"All its voxels have the value {array[0].min():g}."
                if len(array) == 1
                else "One of its channels has the same value everywhere.",
                "Look whether the right file is there.",
            )
        )
    return problems


def _not_finite(array: Any) -> tuple[int, tuple[int, ...]]:
    """Return how many numbers are not finite, and the first voxel that is not."""
    count, first = 0, None
    for (_, start), part in _parts(array):
        wrong = ~np.isfinite(part)
        count += int(np.count_nonzero(wrong))
        if first is None and wrong.any():
            place = np.unravel_index(int(wrong.argmax()), wrong.shape)
            first = (int(place[0]) + start, *map(int, place[1:]))
    return count, first or ()
