"""Which images there are to predict, and where each prediction goes."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from autoseg.datasets.filenames import refuse_names
from autoseg.datasets.files import cases_by_name, find_cases, list_files, stem_of
from autoseg.datasets.layouts.names import cases_in, is_bids
from autoseg.datasets.series.choice import CHANNEL, bundles_in, is_bundle
from autoseg.datasets.series.choice import ENDING as SLICES
from autoseg.datasets.series.parts import cases_of_parts
from autoseg.datasets.series.studies import Wanted, cases_of_study, is_study
from autoseg.errors import UsageError, amount, some_of
from autoseg.formats.base import is_folder_image, known_endings, match_ending, writable
from autoseg.model.model import Model
from autoseg.outputs import JOURNAL
from autoseg.predict.job import Job
from autoseg.predict.readouts.lookup import kind_of
from autoseg.predict.readouts.types import (
    is_series,
    main_type,
    needs_series,
    output_of,
)
from autoseg.spec.dataset import Case
from autoseg.spec.foreign.behind import voxels_behind
from autoseg.spec.foreign.place import is_there, may_be_read, place_of

PICTURES = (".png", ".bmp", ".jpg", ".jpeg")  # never a volume
NO_IMAGES = (  # what lies beside images, and tells something of them or of nothing
    *(".json", ".jsonl", ".yaml", ".yml", ".xml", ".csv", ".tsv", ".xls", ".xlsx"),
    *(".txt", ".md", ".rst", ".log", ".pdf", ".html", ".doc", ".docx", ".ini", ".db"),
    *(".raw", ".zraw", ".raw.gz", ".bval", ".bvec", ".py", ".sh", ".ipynb", ".geojson"),
)

logger = logging.getLogger(__name__)

Input = str | os.PathLike[str] | Sequence["str | os.PathLike[str] | Sequence[Path]"]


def find_jobs(
    given: Input,
    output: str | os.PathLike[str],
    model: Model,
    wanted: Wanted | None = None,
) -> list[Job]:
    """Return everything that is to be predicted.

    Parameters
    ----------
    given : path, or sequence of paths or of sequences of paths
        A folder with images named ``CASE_0000.EXT`` (one file for each channel) or
        ``CASE.EXT``, or a DICOM series or study; or files, those of one case together.
    output : path
        A folder; or for one case a file, if it has an ending that a format knows.
    model : Model
        Gives channels and endings.
    wanted : Wanted, optional
        Which series of studies, and how they are read.

    Returns
    -------
    list of Job
        Sorted by case.

    Raises
    ------
    UsageError
        If there is no image, or two cases have one name.
    """
    wanted, output = wanted or Wanted(), Path(output)
    cases = _find_cases(given, model, wanted)
    _refuse_types(cases, wanted.types)
    ids = [case.id for case in cases]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise UsageError(
            f"{', '.join(twice)}: several images have this name, and their predictions "
            "would overwrite each other. Rename them, or predict folder by folder."
        )
    ending = match_ending(output.name, kind_of(model).endings())
    one_file = ending is not None and (is_folder_image(output) or not output.is_dir())
    if one_file and len(cases) > 1:
        raise UsageError(
            f"{len(cases)} cases do not fit into one file, {output}. Give a folder."
        )
    if one_file and ending and not wanted.types and writable(ending) != ending:
        other = writable(ending)
        raise UsageError(f"{output}: {ending} is read and not written. Give {other}.")
    if one_file:
        return [Job(case=cases[0], output=output)]
    main = None if kind_of(model).only_beside else main_type(wanted.types)
    if main is not None:
        return [Job(case=c, output=output_of(c, output, main)) for c in cases]
    return [
        Job(case=case, output=output / f"{case.id}{prediction_ending(case, model)}")
        for case in cases
    ]


def prediction_ending(case: Case, model: Model) -> str:
    """Return the ending of a prediction: as the training annotations', without loss."""
    return kind_of(model).ending(case, model)


def _refuse_types(cases: Sequence[Case], types: Sequence[str]) -> None:
    """Raise if DICOM is asked for of images that are none."""
    others = [case.images[0] for case in cases if not is_series(case.images[0])]
    if needs_series(types) and others:
        raise UsageError(
            f"{some_of([str(path) for path in others])} is no DICOM, and a "
            "segmentation or a structure set refers to the series it was made of. "
            "Predict the series itself, or give --output-type nifti."
        )


def expected_files(model: Model, case_id: str = "CASE") -> str:
    """Return how the files of a case are called, for messages."""
    ending = model.describe().image_ending or ".EXT"
    names = model.channels
    if ending.lower() == SLICES:
        files = [f"{case_id}_{i:04d} ({name})" for i, name in enumerate(names)]
        return f"folders or zips of DICOM slices: {case_id}, or {', '.join(files)}"
    files = [f"{case_id}_{i:04d}{ending} ({name})" for i, name in enumerate(names)]
    if len(files) == 1:
        files.append(f"or {case_id}{ending}")
    return ", ".join(files).replace(", or", " or")


def _find_cases(given: Input, model: Model, wanted: Wanted) -> list[Case]:
    channels = len(model.channels)
    if isinstance(given, (str, os.PathLike)):
        path = Path(given)
        if path.is_dir() and not is_study(path) and not is_folder_image(path):
            return _in_folder(path, model, wanted)
        given = [path]
    if all(isinstance(entry, (str, os.PathLike)) for entry in given):
        paths = [Path(os.fspath(path)) for path in given]  # type: ignore[arg-type]
        studies = [path for path in paths if is_bundle(path)]
        cases = [c for path in studies for c in _of_bundle(path, model, wanted)]
        paths = [path for path in paths if path not in studies]
        stems = {path: _stem(path) for path in paths}
        named = cases_by_name(stems, model.channels) if channels > 1 else []
        cases += named or _group(paths, channels)
    else:
        groups = [[Path(p) for p in files] for files in given]  # type: ignore[union-attr]
        cases = [Case(id=id_of(g[0]), images=tuple(g)) for g in groups if g]
    missing = [str(p) for case in cases for p in case.images if not is_there(p)]
    cases = cases_of_parts(cases)
    if missing or not cases:
        raise UsageError(
            f"No such image: {', '.join(missing) or 'none was given'}. "
            f"Expected: {expected_files(model)}."
        )
    return sorted(cases, key=lambda case: case.id)


def _of_bundle(path: Path, model: Model, wanted: Wanted) -> list[Case]:
    """Return the cases of one of several folders or zips that are given."""
    if path.is_dir() and not is_study(path) and len(bundles_in(path)) != 1:
        return _in_folder(path, model, wanted)
    choice = wanted.choice(model.dataset, model.channels)
    return cases_of_study(path, wanted, choice)


def _in_folder(folder: Path, model: Model, wanted: Wanted) -> list[Case]:
    if is_bids(folder):
        return bids_cases(folder, model, wanted)
    files = list_files(folder)
    refuse_names(folder, (path.name for path in files))
    names = model.channels if len(model.channels) > 1 else ()
    choice = wanted.choice(model.dataset, model.channels)
    cases = find_cases(folder, len(model.channels), names=names, series=choice)
    cases = cases_of_parts(cases)
    if not cases:
        there = ", ".join(path.name for path in files[:3])
        inside = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
        if not there and inside:
            there = f"only folders: {some_of(inside, 3)}; give one of them"
        there = there or "nothing"
        raise UsageError(
            f"{folder} has no image to predict (there is {there}). Expected: "
            f"{expected_files(model)}."
        )
    flat = [case for case in cases if _is_picture(case)]
    if model.plan.dim == 3 and 0 < len(flat) < len(cases):
        logger.warning(
            "%s left out in %s, for this model takes volumes: %s.",
            amount(len(flat), "picture"),
            folder,
            some_of([path.name for case in flat for path in case.images]),
        )
        cases = [case for case in cases if case not in flat]
    _tell_unread(folder, [*cases, *flat])
    for case in cases:
        _refuse_two_files(case)
        if len(model.channels) == 1 and not _is_one_file(case):
            raise UsageError(_named_as_channels(case, model))
    return cases


def _tell_unread(folder: Path, cases: Sequence[Case]) -> None:
    """Warn of what lies among images and may be one, but is read by no format."""
    used = {place_of(path) for case in cases for path in case.images}
    used |= {voxels for path in used for voxels in voxels_behind(path)}
    others = [p for p in sorted(folder.iterdir()) if p not in used and p.name[0] != "."]
    files = [p.name for p in others if p.is_file() and _may_be_image(p)]
    _left_out(folder, files, "file", "for no format has their ending")
    folders = [p for p in others if p.is_dir()]
    denied = [p.name for p in folders if not may_be_read(p)]
    _left_out(folder, denied, "folder", "for it may not be read (permission denied)")
    called = [p.name for p in folders if match_ending(p.name, known_endings())]
    _left_out(folder, called, "folder", "for images are files")
    inside = [p.name for p in folders if p.name not in called and _has_images(p)]
    if inside:
        logger.warning(
            "%s with images left out in %s: %s. Predict folder by folder.",
            amount(len(inside), "folder"),
            folder,
            some_of(inside),
        )


def _left_out(folder: Path, names: Sequence[str], what: str, why: str) -> None:
    """Warn of what is not predicted, if there is any."""
    if names:
        count = amount(len(names), what)
        logger.warning("%s left out in %s, %s: %s.", count, folder, why, some_of(names))


def _may_be_image(path: Path) -> bool:
    return not path.name.lower().endswith((*NO_IMAGES, *known_endings()))


def _has_images(folder: Path) -> bool:
    """Return whether a folder has images that autoseg did not write."""
    try:
        names = [path.name for path in folder.iterdir() if path.name[0] != "."]
    except OSError:
        return False
    own = (folder / JOURNAL).is_file()
    return not own and any(match_ending(name, known_endings()) for name in names)


def bids_cases(folder: Path, model: Model, wanted: Wanted | None = None) -> list[Case]:
    """Return the subjects of a BIDS data set that have the images of all channels.

    Parameters
    ----------
    folder : Path
        The data set.
    model : Model
        Whose channels are suffixes, unless its data set or ``wanted`` says others.
    wanted : Wanted, optional
        What the user asks for.

    Raises
    ------
    UsageError
        If no subject has them; names the suffixes that there are.
    """
    said = model.dataset.get("bids")
    known = said.get("suffixes") if isinstance(said, dict) else None
    suffixes = (wanted and wanted.series) or known or model.channels
    cases, lack = cases_in(folder, model.channels, suffixes)
    why = f"for not all of {', '.join(suffixes)} are there"
    _left_out(folder, lack, "case", why)
    return cases


def _is_one_file(case: Case) -> bool:
    return len(case.images) == 1 or not all(
        CHANNEL.fullmatch(_stem(path)) for path in case.images
    )


def _named_as_channels(case: Case, model: Model) -> str:
    """Return what to do about images that are numbered as channels are."""
    there = [path.name for path in case.images if path.is_file()]
    return (
        f"{case.images[0].parent}: {some_of(there)} are called as channels of one "
        f"image, {case.id!r}, and the model takes one channel ({model.channels[0]}). "
        "If each is an image, rename them (-0001 for _0001 is enough), or give the "
        "files themselves with -i; if not, take away what is not "
        f"{model.channels[0]}."
    )


def _is_picture(case: Case) -> bool:
    return any(match_ending(path.name, PICTURES) for path in case.images)


def _refuse_two_files(case: Case) -> None:
    """Raise if two files in a folder claim to be the same image or channel."""
    files: dict[str, list[str]] = {}
    for path in case.images:
        stem = _stem(path)
        files.setdefault(stem, []).append(path.name)
    twice = [names for names in files.values() if len(names) > 1]
    if case.id in files and len(files) > 1:  # CASE.EXT beside CASE_0000.EXT
        twice.append([path.name for path in case.images if path.is_file()])
    if twice:
        raise UsageError(
            f"{case.images[0].parent} has several files of one image: "
            f"{' and '.join(twice[0])}. Take away what does not count, or rename it."
        )


def _group(paths: Sequence[Path], channels: int) -> list[Case]:
    """Put files into cases: channel files together, everything else alone."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        stem = _stem(path)
        together = channels > 1 and CHANNEL.fullmatch(stem)
        found.setdefault(id_of(path) if together else str(path), []).append(path)
    ids = [id_of(files[0]) for files in found.values()]
    stems = {_stem(files[0]) for files in found.values()}
    return [
        Case(
            # A name without its number that several have is not the name of any, unless
            # one is called that: then it is not known which of them is meant.
            id=name if ids.count(name) == 1 or name in stems else _stem(files[0]),
            images=tuple(sorted(files)),
        )
        for name, files in zip(ids, found.values(), strict=True)
    ]


def id_of(path: Path) -> str:
    """Return what a prediction is called of an image whose first file this is."""
    stem = _stem(path)
    match = CHANNEL.fullmatch(stem)
    return match[1] if match else stem


def _stem(path: Path) -> str:
    """Return a file's name without its ending."""
    return stem_of(path, known_endings()) or path.stem
