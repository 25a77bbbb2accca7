"""What is wrong with annotations as files, whatever they mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from autoseg.datasets.files import list_files
from autoseg.datasets.kinds import kind_of
from autoseg.datasets.vain import jpeg_maps
from autoseg.errors import amount, some_of
from autoseg.fingerprint.check.facts import CaseFacts, is_shared
from autoseg.fingerprint.check.problem import Problem
from autoseg.spec.dataset import Dataset
from autoseg.spec.foreign.place import lost

SHOWN = 3  # names in a message
MANY = 10  # classes that occur nowhere are told one by one up to here


def annotation_problems(
    dataset: Dataset, facts: Sequence[CaseFacts]
) -> Iterator[Problem]:
    """Yield what is wrong with the annotations as a whole.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    facts : sequence of CaseFacts
        Of its training cases.

    Yields
    ------
    Problem
        About files, or about dataset.json.
    """
    vain = jpeg_maps(dataset)
    if vain is not None:
        yield Problem("error", *vain)
    yield from _missing_annotations(dataset, facts)
    yield from _empty_annotations(dataset, facts)
    yield from _same_annotations(facts)
    yield from _single_slices(facts)


def class_problems(
    dataset: Dataset,
    found: Mapping[str, Sequence[Path]],
    read: int,
) -> Iterator[Problem]:
    """Yield which classes occur never, or once only.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    found : mapping of str to sequence of Path
        Annotations that have each class.
    read : int
        How many annotations could be read.
    """
    where = dataset.folder / "dataset.json"
    missing = [name for name, files in found.items() if not files]
    if len(missing) > MANY:
        yield Problem(
            "warning",
            where,
            f"{len(missing)} of {amount(len(found), 'class', 'classes')} occur in no "
            f"annotation: {some_of(missing)}.",
            "Take them out of `labels`, or correct the annotations.",
        )
        missing = []
    for name, files in found.items():
        if name in missing:
            yield Problem(
                "warning",
                where,
                f"The class {name!r} occurs in no annotation.",
                "Take it out of `labels`, or correct the annotations.",
            )
        if len(files) == 1 and read > 1:
            yield Problem(
                "warning",
                files[0],
                f"The class {name!r} occurs in this annotation only.",
                "Four of five folds will learn it from one case, the fifth not at all; "
                "annotate more.",
            )


def _missing_annotations(
    dataset: Dataset, facts: Sequence[CaseFacts]
) -> Iterator[Problem]:
    missing = [fact for fact in facts if fact.missing]
    folder = dataset.folder / "labelsTr"
    there = [path.name for path in list_files(folder)]
    if len(missing) == len(facts) > 1 and dataset.raw.get("dataset") is None:
        ids = some_of([fact.case.id for fact in facts], SHOWN)
        wanted = facts[0].case.annotation
        name = facts[0].case.id if wanted is None else wanted.name
        whole = ""
        if not kind_of(dataset).maps_first:
            name = f"{facts[0].case.id}.csv"
            whole = ", or put one table for all of them, points.csv, beside imagesTr"
        lies = f"labelsTr has {some_of(there, SHOWN)}" if there else "labelsTr is empty"
        found = (
            f"None of the {len(facts)} images has an annotation: they are called {ids}"
            f"; {lies}."
        )
        fix = f"Call annotations as their images, the first one {name}{whole}."
        stems = tuple(f"{fact.case.id}." for fact in facts)
        given = dataset.raw.get("label_ending", dataset.raw.get("annotation_ending"))
        if not given and any(other.startswith(stems) for other in there):
            found = f'{lies}, which the task "{dataset.task}" does not read.'
            fix = (
                "What reads them is said below. For this task, export them as "
                f"{kind_of(dataset).called_files}, the first one {name}{whole}."
            )
        yield Problem("error", folder, found, fix)
        return
    for fact in missing:
        file = fact.case.annotation or folder / fact.case.id
        is_text = file.suffix.lower() == ".txt"  # YOLO writes none where nothing is
        empty = " An empty file says that nothing is there." if is_text else ""
        yield Problem(
            "error",
            file,
            f"The image {fact.case.id} has no annotation{lost(file)}.",
            f"Put it there, or take the image out of imagesTr.{empty}",
        )


def _empty_annotations(
    dataset: Dataset, facts: Sequence[CaseFacts]
) -> Iterator[Problem]:
    empty = [f for f in facts if f.empty and f.case.annotation]
    if empty and len(empty) == len(facts):
        yield Problem(
            "error",
            dataset.folder / "labelsTr",
            "Every annotation is empty: there is nothing but zeros.",
            "Put the right files there.",
        )
        return
    for fact in empty:
        yield Problem(
            "warning",
            fact.case.annotation or dataset.folder,
            "The annotation is empty: there is nothing but zeros.",
            "Keep it if nothing is there to be seen; otherwise annotate the image, or "
            "take it out.",
            case=fact.case.id if is_shared(fact, facts) else "",
        )


def _same_annotations(facts: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield annotations of one image that are those of another, unlike the image.

    What most images have in common, as a frame, and what is drawn once for images of
    one group, as of a movie, is meant so.
    """
    same: dict[str, list[CaseFacts]] = {}
    for fact in facts:
        if fact.drawn is not None:
            same.setdefault(fact.drawn.digest, []).append(fact)
    for found in same.values():
        first, *others = found
        if 2 * len(found) > len(facts):
            continue
        for fact in others:
            group, known = fact.case.group, first.case.group
            path = fact.case.annotation
            grouped = group is not None and group == known
            if path is None or fact.digest == first.digest or grouped:
                continue
            yield Problem(
                "warning",
                path,
                f"It is the annotation of {first.case.id}, to the last voxel or point, "
                "and the images are not the same.",
                "Look whether one of them was copied or saved under the wrong name.",
                case=fact.case.id if is_shared(fact, facts) else "",
            )


def _single_slices(facts: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield that things are drawn in single slices, with nothing between them."""
    looked = [fact for fact in facts if fact.drawn is not None]
    found = [fact for fact in looked if fact.drawn and fact.drawn.axis is not None]
    if 2 * len(found) < len(looked):
        return
    for fact in found:
        drawn, path = fact.drawn, fact.case.annotation
        if drawn is not None and drawn.axis is not None and path is not None:
            yield Problem(
                "warning",
                path,
                f"Something is drawn in {drawn.slices} single slices across "
                f"{'zyx'[drawn.axis]}, the nearest {drawn.apart} apart, and nothing "
                "between them.",
                "If slices between were left out, they are learned as background: give "
                "them the value of `ignore`, or fill them in. If that is how it looks, "
                "leave it.",
            )
