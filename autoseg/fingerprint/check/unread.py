"""What lies in a data set's folder and is not read, with what would be."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from pathlib import Path

from autoseg.datasets.files import list_files
from autoseg.datasets.kinds import kind_of
from autoseg.datasets.layouts.bids import KEY
from autoseg.datasets.layouts.names import images_in, is_bids
from autoseg.datasets.pairing import CLASS_LISTS, without_copies
from autoseg.datasets.point_tables import TABLES
from autoseg.datasets.read import PARTS
from autoseg.dicom.headers import is_dicom, is_dicom_file
from autoseg.errors import amount, some_of
from autoseg.fingerprint.check.facts import CaseFacts
from autoseg.fingerprint.check.kinds.base import CheckKind
from autoseg.fingerprint.check.problem import Problem, denied
from autoseg.formats.base import known_endings, match_ending
from autoseg.instancefiles.readers.base import instance_endings
from autoseg.pointfiles.base import point_endings
from autoseg.spec.dataset import Dataset
from autoseg.spec.foreign.behind import voxels_behind
from autoseg.spec.foreign.place import may_be_read, place_of

FOREIGN = {  # what annotation is kept in and nobody here reads, with what would be
    (".xlsx", ".xls", ".ods", ".numbers"): "Save it as CSV.",
    (".xml",): "Export it as COCO's JSON, or as a label map.",
    (".mat", ".h5", ".hdf5", ".npz", ".pkl", ".sqlite", ".db"): (
        "Save points as CSV, objects as COCO's JSON or a label map."
    ),
    (".afdesign", ".psd", ".xcf", ".ai", ".svg"): "Export it as a label map in PNG.",
}
SIDE_CARS = (".json", ".yaml", ".yml", ".md", ".raw", ".zraw")
TAKE = "Take `file_ending` out of dataset.json, or take the folder away."
SLICES = (
    "Put the slices of each series into a folder of their own, CASE_0000 or CASE; a "
    "file that is a whole image ends in .dcm."
)


def unread(
    dataset: Dataset,
    kind: CheckKind,
    facts: Sequence[CaseFacts],
    hidden: Collection[str],
) -> Iterator[Problem]:
    """Yield files and folders that belong to no case.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    kind : CheckKind
        What is looked at in annotations.
    facts : sequence of CaseFacts
        Of its training cases.
    hidden : collection of str
        Folders that may not be listed.
    """
    if dataset.raw.get("dataset") is not None:
        yield from _subjects(dataset)
        return
    ids = {case.id for case in dataset.training}
    yield from _images(dataset, hidden)
    if {*hidden} & {*PARTS[:2]}:
        return
    yield from kind.unused(ids)
    lost = bool(facts) and all(fact.missing for fact in facts)
    yield from _annotations(dataset, kind, ids, lost)
    yield from _tables(dataset)
    if lost:
        yield from _foreign(dataset)


def _subjects(dataset: Dataset) -> Iterator[Problem]:
    """Yield a note of the images of a BIDS data set that have no annotation."""
    by_itself = not (dataset.folder / "dataset.json").is_file()
    if not is_bids(dataset.folder) or not (by_itself or KEY in dataset.raw):
        return
    said = dataset.raw.get(KEY) or {}
    channels = said.get("suffixes") or dataset.channel_names
    images = images_in(dataset.folder).values()
    there = {name.case for name in images if name.suffix in channels}
    alone = sorted(there - {case.id for case in dataset.training})
    if alone:
        yield Problem(
            "note",
            dataset.folder / "derivatives",
            f"{amount(len(alone), 'case')} with images and no annotation: "
            f"{some_of(alone)}.",
            "Nothing, if that is meant; else look whether the entities of both "
            "(sub, ses, run, ...) are the same.",
        )


def _images(dataset: Dataset, hidden: Collection[str]) -> Iterator[Problem]:
    cases = (*dataset.training, *dataset.test)
    used = _with_voxels(place_of(path) for case in cases for path in case.images)
    for name in (part for part in ("imagesTr", "imagesTs") if part not in hidden):
        folder = dataset.folder / name
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
        for path in inside:
            if path in used or path.name.startswith("."):
                continue
            if path.is_dir():
                yield _folder(path)
            elif match_ending(path.name, known_endings()):
                if name == "imagesTr":
                    yield Problem(
                        "warning",
                        path,
                        "This image is not used: it does not end in "
                        f"{dataset.image_ending}.",
                        "Convert it, or take `file_ending` out of dataset.json.",
                    )
            elif not path.name.lower().endswith(SIDE_CARS):
                yield _no_image(path)


def _with_voxels(paths: Iterable[Path]) -> set[Path]:
    """Return files, and behind headers those of their voxels."""
    return {one for path in set(paths) for one in (path, *voxels_behind(path))}


def _folder(path: Path) -> Problem:
    if not may_be_read(path):
        return denied(path)
    files = [one for one in sorted(path.iterdir()) if one.is_file()]
    if is_dicom(path):
        found = "This folder of DICOM files is not read: other images are files."
        return Problem("warning", path, found, TAKE)
    found = "This folder is not read: images lie in it side by side with nothing."
    if files:
        found = "This folder is not read: images are files, not folders."
    return Problem("warning", path, found, "Put image files into its place.")


def _no_image(path: Path) -> Problem:
    if is_dicom_file(path):
        found = "This DICOM file is not read: its name does not say that it is one."
        return Problem("warning", path, found, SLICES)
    return Problem(
        "warning",
        path,
        "This file is not read: no format has its ending.",
        f"Convert it to one of {' '.join(known_endings())}, or take it away.",
    )


def _annotations(
    dataset: Dataset, kind: CheckKind, ids: Set[str], lost: bool
) -> Iterator[Problem]:
    """Yield files of labelsTr; ``lost``: that no image has one is told elsewhere."""
    own_files = (c.annotation for c in dataset.training if c.annotation)
    used = _with_voxels(place_of(path) for path in own_files)
    suffix = suffix_of(dataset)
    own: tuple[str, ...] = (dataset.annotation_ending,)
    if not _given_ending(dataset):
        own = (*own, *kind_of(dataset).endings, *kind.endings)
    whole = any(p.is_dir() or match_ending(p.name, known_endings()) for p in used)
    others: tuple[str, ...] = ()  # many files of code: only if something is left over
    for path in without_copies(list_files(dataset.folder / "labelsTr")):
        if path in used or path.name.lower() in CLASS_LISTS:
            continue
        others = others or _others()
        ending = match_ending(path.name, (*own, *others)) or ""
        stem = path.name[: -len(ending)].removesuffix(suffix) if ending else ""
        if whole and ending.lower().endswith(SIDE_CARS):
            continue  # it tells the class of each id, or the spacing
        if not ending or ending not in own:
            if not path.name.lower().endswith(SIDE_CARS):
                yield _of_other_kind(path, ending, dataset)
        elif stem in ids:
            yield Problem(
                "warning",
                path,
                f"There is another annotation for the image {stem}: "
                f"{_annotation_of(dataset, stem)} is read, this is not.",
                "Take one of them away.",
            )
        elif not lost:
            yield Problem(
                "warning",
                path,
                "This annotation has no image.",
                f"Put the image of {stem} into imagesTr, or take the annotation away.",
            )


def _others() -> tuple[str, ...]:
    return (*known_endings(), *instance_endings(), *point_endings())


def _annotation_of(dataset: Dataset, case_id: str) -> str:
    own = (case.annotation for case in dataset.training if case.id == case_id)
    return next((path.name for path in own if path is not None), "none")


def _given_ending(dataset: Dataset) -> str | None:
    result: str | None = dataset.raw.get(
        "label_ending", dataset.raw.get("annotation_ending")
    )
    return result


def _of_other_kind(path: Path, ending: str, dataset: Dataset) -> Problem:
    given = _given_ending(dataset)
    if given and match_ending(path.name, known_endings()):
        return Problem(
            "warning",
            path,
            f"This file is not read: `label_ending` is {given!r}.",
            "Correct it, or take it out of dataset.json.",
        )
    task = f'a data set of the task "{dataset.task}"'
    own = dataset.annotation_ending
    fix = f"Its annotations end in {own}: export it so."
    if not own:  # there is no image either that would say it
        fix = f"Export it as one of {' '.join(known_endings())}."
    if not kind_of(dataset).maps_first:
        fix = f"Points are read from {' '.join(sorted(point_endings()))}."
    fix = _way_out(path) or fix
    if ending in instance_endings() and ending != ".txt":
        fix = 'Files of objects are read where dataset.json says "task": "instance".'
        if own and kind_of(dataset).maps_first:
            fix += f" If areas are meant, and not each object, export them as {own}."
    elif ending in point_endings():
        fix = 'Files of points are read where dataset.json says "task": "landmark".'
    return Problem("warning", path, f"This file is not read in {task}.", fix)


def _way_out(path: Path) -> str:
    """Return what to do with a file that other programs keep annotation in."""
    ending = path.suffix.lower()
    return next((fix for endings, fix in FOREIGN.items() if ending in endings), "")


def _foreign(dataset: Dataset) -> Iterator[Problem]:
    """Yield files beside imagesTr in which the annotation may be that is missing."""
    for path in list_files(dataset.folder):
        fix = _way_out(path)
        if fix:
            yield Problem("warning", path, "This file is not read.", fix)


def _tables(dataset: Dataset) -> Iterator[Problem]:
    """Yield files for all cases, beside imagesTr, that are nobody's annotation."""
    used = {case.annotation for case in dataset.training}
    for path in list_files(dataset.folder):
        ending = match_ending(path.name, (*instance_endings(), *point_endings()))
        stem = path.name[: -len(ending)] if ending else ""
        if path in used or stem not in TABLES:
            continue
        others = sorted({p.parent.name for p in used if p and p.exists()})
        there = f"annotations are those in {', '.join(others)}" if others else ""
        task = f'the task is "{dataset.task}"'
        yield Problem(
            "warning",
            path,
            f"This file is not read: {there or task}.",
            "Take one of them away, or look at `task` in dataset.json.",
        )


def _endings_of(dataset: Dataset) -> tuple[str, ...]:
    """Return what annotations may end in; other kinds' only where they are no maps."""
    maps = known_endings()
    own = dataset.annotation_ending
    return (own, *maps) if own in maps else (own, *_others())


def suffix_of(dataset: Dataset) -> str:
    """Return what annotations in labelsTr have behind the ids of cases."""
    for case in dataset.training:
        path = case.annotation
        if path is None or path.parent.name != "labelsTr":
            continue
        ending = match_ending(path.name, _endings_of(dataset)) or ""
        stem = path.name[: -len(ending)] if ending else path.name
        if stem.startswith(case.id):
            return stem[len(case.id) :]
    return ""
