"""What is wrong with the headers of images in imagesTs, which have no annotation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from autoseg.errors import stops_everything
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.headers import channel_problems, header_problems
from autoseg.fingerprint.check.problem import Problem, unreadable
from autoseg.formats.base import find_format
from autoseg.parallel import map_cases
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.place import is_there
from autoseg.spec.image import Geometry


def unannotated_problems(
    dataset: Dataset, facts: Sequence[CaseFacts], workers: int | None
) -> Iterator[Problem]:
    """Yield what prediction would stumble over, from headers alone: all are warnings.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    facts : sequence of CaseFacts
        Of its training cases.
    workers : int or None
        Images at a time.
    """
    if not dataset.test:
        return
    known = [fact.geometry for fact in facts if fact.geometry is not None]
    usual = Counter((one.dim, one.unit == "px") for one in known).most_common(1)
    found = map_cases(
        lambda case: _of_image(case, dataset, usual[0][0] if usual else None),
        dataset.test,
        stage="check imagesTs",
        workers=workers,
        name=lambda case: case.id,
    )
    for problems in found.values():
        yield from problems


def _of_image(
    case: Case, dataset: Dataset, usual: tuple[int, bool] | None
) -> list[Problem]:
    problems: list[Problem] = []
    paths = [path for path in case.images if is_there(path)]
    share = len(dataset.channel_names) if len(case.images) == 1 else 1
    first: Geometry | None = None
    for path in paths:
        try:
            reader = find_format(path, dataset.format)
            geometry = reader.geometry(path, dataset.spacing, dataset.unit, share)
        except Exception as error:  # whatever a library raises on a broken file
            if stops_everything(error):
                raise
            problems.append(replace(unreadable(error, path), severity="warning"))
            continue
        problems += header_problems(geometry, path)
        if first is None:
            first = geometry
            problems += _unlike(case, geometry, usual)
        else:
            problems += [
                replace(problem, severity="warning")
                for problem in channel_problems(first, paths[0], geometry, path)
            ]
    return problems


def _unlike(
    case: Case, geometry: Geometry, usual: tuple[int, bool] | None
) -> Iterator[Problem]:
    """Yield in what a test image is of another kind than those of training."""
    if usual is None:
        return
    axes, without_size = usual
    if geometry.dim != axes:
        yield Problem(
            "warning",
            case.images[0],
            f"This test image has {geometry.dim} axes, those of training have {axes}: "
            "it cannot be predicted.",
            "Look whether the right file is there.",
        )
    elif (geometry.unit == "px") != without_size:
        says = "does not say" if geometry.unit == "px" else "says"
        others = "do" if geometry.unit == "px" else "do not"
        yield Problem(
            "warning",
            case.images[0],
            f"This test image {says} how large a pixel is, those of training {others}: "
            "pixels are compared by number.",
            "Write the size into its file, a side-car or `spacing`.",
        )
