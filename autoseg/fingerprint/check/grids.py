"""What the grids of all images say together: axes, units, spacing, orientation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autoseg.errors import amount, some_of
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.problem import Problem
from autoseg.formats.header import OVERRULED, measured_in, own_unit
from autoseg.geometry.orientation import is_silent
from autoseg.geometry.resample import MOST_GROWTH
from autoseg.spec.dataset import Dataset
from autoseg.spec.foreign.units import common_unit
from autoseg.spec.image import Geometry

FLAT = 3.0  # longest edge over shortest, of an image that cannot have cubic voxels
LARGE_GROWTH = 100.0  # times the voxels by resampling: mostly a mistake
LARGEST_RATIO = 25.0  # of the edges of one voxel
OUTLIER = 10.0  # times the median, along an axis
BODY = (1e-2, 50.0)  # millimeters: edges of a voxel that are no mistake of unit


def in_one_unit(facts: Iterable[CaseFacts]) -> tuple[CaseFacts, ...]:
    """Return cases whose images are measured in one unit, as far as they have a size.

    Parameters
    ----------
    facts : iterable of CaseFacts
        With each image in the unit that its file is read in.
    """
    kept = tuple(facts)
    grids = (fact.geometry for fact in kept if fact.geometry is not None)
    unit = common_unit(grid.unit for grid in grids if grid.unit != "px")
    if unit is None:
        return kept
    return tuple(
        replace(fact, geometry=measured_in(fact.geometry, unit))
        if fact.geometry is not None
        else fact
        for fact in kept
    )


def grid_problems(dataset: Dataset, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield what is odd about the grids of the images.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    facts : sequence of CaseFacts
        Of its training cases.

    Yields
    ------
    Problem
        About images, or about all of them.
    """
    known = [(fact, fact.geometry) for fact in facts if fact.geometry is not None]
    if not known:
        return
    yield from _mixtures(dataset, known)
    yield from _orientations(dataset, facts)
    yield from _overruled(dataset, known)
    yield from _converted(dataset, known)
    if dataset.spacing is not None:
        yield from _unused_spacing(dataset, known)
    real = [(fact, g) for fact, g in known if g.unit != "px"]
    if real and len({geometry.dim for _, geometry in real}) == 1:
        yield from _extremes(dataset, real)
        yield from _spacings(dataset, real)


def _one_number_of_axes(known: Sequence[tuple[CaseFacts, Geometry]]) -> str:
    """Return what to do where images of two and of three axes are together."""
    if all(geometry.shape[0] == 1 for _, geometry in known if geometry.dim == 3):
        return (
            "Those with three have one slice: write all of them with two, or all with "
            "three."
        )
    return "Make two data sets of two and three axes."


def _mixtures(
    dataset: Dataset, known: Sequence[tuple[CaseFacts, Geometry]]
) -> Iterator[Problem]:
    kinds: tuple[tuple[str, Callable[[Any], Any], str], ...] = (
        ("axes", lambda g: g.dim, _one_number_of_axes(known)),
        ("units", own_unit, "Give one `spacing` and `unit` for all of them."),
    )
    if len({geometry.unit for _, geometry in known}) == 1:
        kinds = kinds[:1]  # lengths in several units are converted
    for what, kind, fix in kinds:
        counts = Counter(kind(geometry) for _, geometry in known)
        if len(counts) > 1:
            rare = min(counts, key=lambda value: (counts[value], str(value)))
            example = next(f for f, geometry in known if kind(geometry) == rare)
            listed = ", ".join(
                f"{count} with {value}" for value, count in counts.items()
            )
            yield Problem(
                "error",
                example.case.images[0],
                f"The images differ in their {what}: {listed}.",
                fix,
            )


def _orientations(dataset: Dataset, facts: Sequence[CaseFacts]) -> Iterator[Problem]:
    where = dataset.folder / "imagesTr"
    counts = Counter(code for f in facts if (code := f.orientation) is not None)
    if len(counts) > 1:
        listed = ", ".join(f"{count} {code}" for code, count in counts.most_common())
        yield Problem(
            "note",
            where,
            f"The images have several orientations: {listed}.",
            "The plan turns all of them to the commonest, and predictions back.",
        )
    silent = [
        fact for fact in facts if fact.geometry is not None and is_silent(fact.geometry)
    ]
    if not silent:
        return
    names = some_of([fact.case.id for fact in silent])
    if counts:
        listed = ", ".join(code for code, _ in counts.most_common())
        yield Problem(
            "warning",
            silent[0].case.images[0],
            f"{amount(len(silent), 'image')} of unknown orientation, for nothing "
            f"is said in {names}; the others are {listed}.",
            "They are never turned. Look at them, and write the true orientation into "
            "their headers.",
        )
    else:
        yield Problem(
            "note",
            where,
            "No image says how its axes lie in the patient, so none is turned.",
            "Go on if their axes run the same way in all of them.",
        )


def _overruled(
    dataset: Dataset, known: Sequence[tuple[CaseFacts, Geometry]]
) -> Iterator[Problem]:
    """Say whose unit dataset.json overrules."""
    cases = [fact.case for fact, g in known if OVERRULED in g.header]
    if cases:
        yield Problem(
            "note",
            dataset.folder / "dataset.json",
            f"`unit` makes {dataset.unit} of the mm in "
            f"{amount(len(cases), 'header')}, those "
            f"of {some_of([case.id for case in cases])}, which many programs write "
            "whatever is meant.",
            "Take `unit` out of dataset.json if they are millimeters.",
        )


def _converted(
    dataset: Dataset, known: Sequence[tuple[CaseFacts, Geometry]]
) -> Iterator[Problem]:
    """Say which images are in another unit than most, and are converted."""
    real = [(fact, g) for fact, g in known if g.unit != "px"]
    other = [(fact, g) for fact, g in real if own_unit(g) != g.unit]
    if other:
        unit, theirs = other[0][1].unit, own_unit(other[0][1])
        yield Problem(
            "note",
            dataset.folder / "imagesTr",
            f"{amount(len(real) - len(other), 'image')} in {unit} and "
            f"{len(other)} in {theirs} ({some_of([f.case.id for f, _ in other])}): "
            f"lengths of all are converted to {unit}.",
            "Correct the headers if one of the two is not meant so.",
        )


def _extremes(
    dataset: Dataset, real: Sequence[tuple[CaseFacts, Geometry]]
) -> Iterator[Problem]:
    """Yield images whose size must be a mistake, and those where it may be one."""
    spacings = np.sort([geometry.spacing for _, geometry in real], axis=1)
    usual = np.median(spacings, axis=0)
    for (fact, geometry), edges in zip(real, spacings, strict=True):
        growth = float(np.prod(edges / usual))
        if growth > MOST_GROWTH:
            yield Problem(
                "error",
                fact.case.images[0],
                f"Its spacing {geometry.spacing} {geometry.unit} is so far from what "
                f"is usual here, {tuple(usual.tolist())} in ascending order, that it "
                f"would get {growth:.3g} times its voxels.",
                "Correct the spacing or the unit in its header.",
            )
        elif growth > LARGE_GROWTH and (edges <= OUTLIER * usual).all():
            yield Problem(  # what is further along an axis is said below
                "warning",
                fact.case.images[0],
                f"Its voxels are {growth:.3g} times as large as is usual here: spacing "
                f"{geometry.spacing} {geometry.unit}. Resampled, it gets as many more.",
                "Correct the header if it is wrong; take the case out if it is not "
                "worth the memory.",
            )


def _unused_spacing(
    dataset: Dataset, known: Sequence[tuple[CaseFacts, Geometry]]
) -> Iterator[Problem]:
    for fact, geometry in known:
        if geometry.spacing != dataset.spacing:
            yield Problem(
                "note",
                fact.case.images[0],
                f"The file has its own spacing, {geometry.spacing}, which is used; "
                f"that of dataset.json, {dataset.spacing}, is for files without.",
                "Take `spacing` out of dataset.json, or correct the file.",
            )
            return


def _spacings(
    dataset: Dataset, real: Sequence[tuple[CaseFacts, Geometry]]
) -> Iterator[Problem]:
    where = dataset.folder / "imagesTr"
    spacings = np.array([geometry.spacing for _, geometry in real])
    median_shape = np.median([geometry.shape for _, geometry in real], axis=0)
    unit = real[0][1].unit
    cubic = (spacings == 1).all() and dataset.spacing is None
    if cubic and median_shape.max() >= FLAT * median_shape.min() > FLAT:
        shape = " x ".join(f"{edge:g}" for edge in median_shape)
        yield Problem(
            "warning",
            where,
            f"Every image says that its voxels are cubes of 1 {unit}, though a typical "
            f"shape is {shape}: the true spacing may have been lost.",
            "Write the true spacing into the headers, or go on if it is that.",
        )
    # Sorted, because images may be turned.
    ordered = np.sort(spacings, axis=1)
    median = np.median(ordered, axis=0)
    for (fact, geometry), edges in zip(real, ordered, strict=True):
        if np.max(np.maximum(edges / median, median / edges)) > OUTLIER:
            yield Problem(
                "warning",
                fact.case.images[0],
                f"Its spacing {geometry.spacing} is far from what is usual here, "
                f"{tuple(median.tolist())} in ascending order.",
                "Correct the header if it is wrong; a unit may have been mistaken.",
            )
        elif edges[-1] / edges[0] > LARGEST_RATIO:
            yield Problem(
                "warning",
                fact.case.images[0],
                f"Its voxels are {edges[-1] / edges[0]:.3g} times longer than wide: "
                f"spacing {geometry.spacing}.",
                "Correct the header if that is not so.",
            )
    converted = any(own_unit(geometry) != unit for _, geometry in real)
    if (
        unit == "mm"
        and not converted
        and not (BODY[0] < median[0] and median[-1] < BODY[1])
    ):
        yield Problem(
            "warning",
            where,
            f"A typical spacing is {tuple(median.tolist())} mm.",
            'Say "unit": "um" if these are micrometers, or correct the headers.',
        )
