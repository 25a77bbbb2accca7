"""Read a data set folder: dataset.json, and which files are there.

The layout is nnU-Net v2's (Isensee et al., doi:10.1038/s41592-020-01008-z), with the
additions that docs/dataset.md lists. No image is opened.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from autoseg.datasets.description import Description
from autoseg.datasets.filenames import refuse_names
from autoseg.datasets.files import (
    commonest_ending,
    find_cases,
    image_ending,
    images_alone,
    is_suffixed,
    names_in,
)
from autoseg.datasets.groups import splits_of
from autoseg.datasets.identity import check_origin, lies_elsewhere
from autoseg.datasets.kinds import kind_of
from autoseg.datasets.kinds.base import OTHER_ENDINGS
from autoseg.datasets.pairing import (
    Annotations,
    annotating,
    common_suffixes,
    find_annotations,
    in_letters_of,
)
from autoseg.datasets.series.choice import ENDING as SLICES
from autoseg.datasets.series.choice import SeriesChoice
from autoseg.datasets.series.parts import cases_of_parts, stems_of_parts
from autoseg.errors import AutosegError, DatasetError
from autoseg.formats.base import known_endings, writable
from autoseg.spec.dataset import Case, Dataset
from autoseg.tasks import TASKS
from autoseg.workspace import Workspace, find_dataset, find_root

PARTS = ("imagesTr", "labelsTr", "imagesTs")  # folders, where no case is listed


def open_dataset(
    dataset: str | os.PathLike[str], root: str | os.PathLike[str] | None = None
) -> tuple[Dataset, Workspace]:
    """Find and read a data set that is named as a user does.

    Parameters
    ----------
    dataset : str or path
        A folder with a dataset.json, or the name or number of one in ``ROOT/raw``.
    root : str or path, optional
        ROOT; by default ``$AUTOSEG_ROOT``, else ``./autoseg_root``.

    Returns
    -------
    dataset : Dataset
        See `load_dataset`.
    workspace : Workspace
        Its folders in ROOT.

    Raises
    ------
    UsageError
        If there is no such data set.
    DatasetError
        With everything that is wrong with dataset.json, at once; or if the workspace
        belongs to another data set of the same name.
    """
    place = find_root(root)
    found = load_dataset(find_dataset(dataset, place))
    workspace = Workspace(root=place, dataset=found.name)
    check_origin(found, workspace)
    return found, workspace


def find_workspace(
    dataset: str | os.PathLike[str], root: str | os.PathLike[str] | None = None
) -> Workspace:
    """Return the folders of a data set that need not be complete any more.

    Parameters
    ----------
    dataset, root
        See `open_dataset`.

    Returns
    -------
    Workspace
        Its folders in ROOT. Only where it lies elsewhere than before, the data set
        itself is looked at.

    Raises
    ------
    UsageError, DatasetError
        See `open_dataset`.
    """
    workspace = Workspace.find(dataset, root)
    folder = find_dataset(dataset, workspace.root)
    if lies_elsewhere(folder, workspace) is not None:
        return open_dataset(dataset, root)[1]
    return workspace


def load_dataset(folder: Path) -> Dataset:
    """Read a data set folder.

    Parameters
    ----------
    folder : Path
        A folder with a dataset.json; see docs/dataset.md.

    Returns
    -------
    Dataset
        Cases sorted by id. A training case whose annotation is missing has the path
        where it should be.

    Raises
    ------
    DatasetError
        With everything that is wrong with dataset.json, at once.
    """
    dataset, problems = read_dataset(folder)
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise DatasetError(
            f"{dataset.folder / 'dataset.json'} needs mending:\n{listed}"
        )
    return dataset


def read_dataset(
    folder: Path, hidden: Collection[str] = ()
) -> tuple[Dataset, list[str]]:
    """Read a data set folder as well as its dataset.json allows.

    Parameters
    ----------
    folder : Path
        A folder with a dataset.json.
    hidden : collection of str
        Those of `PARTS` that may not be listed, so that `check` reads the others: there
        are no cases without imagesTr, and no annotations without labelsTr.

    Returns
    -------
    dataset : Dataset
        What could be understood. ``channel_names`` is empty if it could not.
    problems : list of str
        What is wrong with dataset.json.

    Raises
    ------
    DatasetError
        If there is no dataset.json, or it is no JSON object.
    """
    folder = Path(os.path.abspath(folder))
    described = Description(folder)
    wanted = described.ending("file_ending")
    dataset = Dataset(
        name=folder.name,
        folder=folder,
        task=described.text("task") or "semantic",
        channel_names=described.channel_names(),
        image_ending=wanted or "",
        annotation_ending=described.ending("label_ending", "annotation_ending") or "",
        spacing=described.spacing(),
        unit=described.unit(),
        format=described.format(),
        crop=described.crop(),
        raw=described.raw,
        splits=described.splits(),
    )
    for place in (folder / part for part in PARTS if part not in hidden):
        if place.is_dir():
            refuse_names(place, os.listdir(place))
    group_of = described.groups()
    problems = described.problems
    described.looks()
    series = described.series(dataset.channel_names)
    folders = series if (wanted or SLICES).lower() == SLICES else None
    listed = described.listed_cases()
    if listed is not None:
        refuse_names(folder, (case.id for case in listed))
        listed = tuple(map(series.of_case, listed))
        dataset = _with_endings_of_first(replace(dataset, training=listed))
    elif PARTS[0] not in hidden:
        annotated = PARTS[1] not in hidden
        dataset = _with_training_cases(dataset, wanted, problems, folders, annotated)
    classes_of = described.annotated()
    training = tuple(
        replace(
            c,
            group=(group := group_of(c.id) or c.group),
            annotated=classes_of(c.id, group),
        )
        for c in dataset.training
    )
    splits = splits_of(dataset.splits, [case.id for case in training])
    dataset = replace(dataset, training=training, splits=splits)
    if PARTS[2] not in hidden:
        dataset = _with_test_cases(dataset, listed is not None, folders)
    return dataset, problems + _problems_of_task(dataset)


def _with_endings_of_first(dataset: Dataset) -> Dataset:
    """Take the endings from the files of the first case that is listed."""
    first = dataset.training[:1]
    images = commonest_ending([c.images[0] for c in first], known_endings())
    labels = commonest_ending(
        [c.annotation for c in first if c.annotation],
        kind_of(dataset).endings,
    )
    return replace(
        dataset,
        image_ending=images or dataset.image_ending,
        annotation_ending=labels or dataset.annotation_ending,
    )


def _with_training_cases(
    dataset: Dataset,
    wanted: str | None,
    problems: list[str],
    series: SeriesChoice | None,
    annotated: bool,
) -> Dataset:
    """Find the cases in imagesTr and labelsTr; in imagesTr alone if not annotated."""
    images, labels = dataset.folder / "imagesTr", dataset.folder / "labelsTr"
    try:
        ending = image_ending(images, wanted)
    except DatasetError as error:
        problems.append(str(error))
        return dataset
    if not annotated:
        alone = images_alone(images, len(dataset.channel_names), wanted, series)
        training = tuple(cases_of_parts(alone))
        return replace(dataset, training=training, image_ending=ending)
    kind = kind_of(dataset)
    found = find_annotations(
        labels,
        kind.endings,
        given=dataset.annotation_ending,
        images=wanted or ending,
        maps_first=kind.maps_first,
    )
    folders = kind.folders(labels)
    by_stem = {**folders, **annotating(stems_of_parts(found.by_stem), folders)}
    if found.ending in OTHER_ENDINGS and set(by_stem) == set(folders):
        found = replace(found, ending=ending)
    by_stem = in_letters_of(by_stem, images)
    found = replace(found, by_stem=by_stem)
    # Where nobody names an ending, images of several kinds may stand together.
    annotations, cases = _paired(found, dataset, ending if wanted else None, series)
    label_ending = found.ending
    shared = kind.shared(dataset.folder, {case.id for case in cases})
    if shared is not None and label_ending in OTHER_ENDINGS:
        label_ending = ending
    label_ending = writable(label_ending)
    training = tuple(
        replace(
            c,
            annotation=annotations.by_stem.get(c.id)
            or shared
            or labels / f"{c.id}{annotations.suffix}{label_ending}",
        )
        for c in cases
    )
    return replace(
        dataset,
        training=training,
        image_ending=ending,
        annotation_ending=label_ending,
    )


def _paired(
    found: Annotations,
    dataset: Dataset,
    ending: str | None,
    series: SeriesChoice | None,
) -> tuple[Annotations, list[Case]]:
    """Return annotations by the ids of cases, and the cases.

    Where no annotation has the name of an image, what all of them have behind it is
    left out, and so are names of channels behind those of cases.
    """
    channels = dataset.channel_names

    def cases_with(ids: Collection[str], names: Sequence[str] = ()) -> list[Case]:
        found = find_cases(
            dataset.folder / "imagesTr",
            max(1, len(channels)),
            ending,
            ids=ids,
            names=names,
            series=series,
        )
        return cases_of_parts(found)

    cases = cases_with(found.by_stem)
    if any(case.id in found.by_stem for case in cases):
        return found, cases
    for suffix in ("", *common_suffixes(found.by_stem)):
        other = found.without(suffix) if suffix else found
        for names in ((), channels):
            tried = cases_with(other.by_stem, names)
            if any(case.id in other.by_stem for case in tried):
                return other, tried
    return found, cases_with(found.by_stem, channels) if len(channels) > 1 else cases


def _with_test_cases(
    dataset: Dataset, listed: bool, series: SeriesChoice | None
) -> Dataset:
    known = {case.id for case in dataset.training}
    cases = find_cases(
        dataset.folder / "imagesTs",
        max(1, len(dataset.channel_names)),
        dataset.image_ending or None,
        ids=known,
        suffixed=listed or not known or is_suffixed(dataset.training),
        names=() if listed else names_in(dataset.training, dataset.channel_names),
        series=series,
    )
    return replace(dataset, test=tuple(cases_of_parts(cases)))


def _problems_of_task(dataset: Dataset) -> list[str]:
    if dataset.task not in TASKS:
        return []  # `check` says so, and so does everything that needs the task
    try:
        TASKS[dataset.task].from_dataset(dataset)
        kind_of(dataset).check_description(dataset)
        return TASKS[dataset.task].faults(dataset)
    except DatasetError as error:
        text = str(error).removeprefix(f"{dataset.folder / 'dataset.json'}:")
        return [line.strip() for line in text.strip().splitlines()]
    except AutosegError as error:
        return [str(error)]
