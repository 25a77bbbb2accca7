"""Write the dataset.json of a folder, of what lies there. No file is moved."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoseg.datasets.layouts.bids import described
from autoseg.datasets.layouts.names import is_bids
from autoseg.datasets.read import load_dataset
from autoseg.describing.contents import Contents, look
from autoseg.describing.kinds.base import Ask
from autoseg.describing.layout import find_layout
from autoseg.describing.pairs import Found
from autoseg.describing.words import Understood
from autoseg.errors import DatasetError, UsageError, amount, did_you_mean
from autoseg.outputs import refuse_foreign
from autoseg.spec.dataset import Dataset
from autoseg.spec.json import dumps, write_text
from autoseg.tasks import TASKS

PICTURE = "dataset.png"
DESCRIPTION = "dataset.json"


def init(
    folder: str | os.PathLike[str],
    *,
    images: Sequence[str] = (),
    annotations: Sequence[str] = (),
    task: str | None = None,
    labels: Mapping[str, int] | None = None,
    channels: Sequence[str] = (),
    spacing: Sequence[float] | None = None,
    unit: str | None = None,
    ignore: int | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    picture: bool = True,
    workers: int | None = None,
    ask: Ask | None = None,
) -> Understood:
    """Find out what a folder of images and annotations holds; write its dataset.json.

    Images and annotations are paired by their names, in two folders, in one, or in a
    folder for each patient; they stay where they are.

    Parameters
    ----------
    folder : path
        With images and annotations.
    images, annotations : sequence of str
        Folders, files or patterns such as ``"scans/*.nii.gz"``, relative to the folder,
        where names do not tell which is which.
    task : str, optional
        ``"semantic"``, ``"instance"`` or ``"landmark"``; by default what annotations
        show.
    labels : mapping of str to int, optional
        Names of classes with their values, such as ``{"liver": 1}``; by default the
        values get numbers for names.
    channels : sequence of str
        Names of the channels, such as ``["T1", "FLAIR"]``.
    spacing : sequence of float, optional
        Edges of a voxel, slowest axis first, of files that carry none.
    unit : str, optional
        ``"mm"``, ``"um"`` or ``"px"``.
    ignore : int, optional
        The value of what nobody looked at; -1 if every value is a class.
    output : path, optional
        Where dataset.json goes, pointing to the files; by default the folder itself.
    overwrite : bool
        Replace a dataset.json that is there.
    picture : bool
        Draw three cases beside it.
    workers : int, optional
        Files looked at at the same time.
    ask : callable, optional
        Called with a question, the answers and the option that says the same, where
        two readings are possible; gives the answer. Without it, that is an error.

    Returns
    -------
    Understood
        With ``dataset`` and ``picture``; printed, it says what was understood.

    Raises
    ------
    UsageError
        If there is a dataset.json already, or two readings are possible.
    DatasetError
        If images and annotations cannot be paired.
    """
    place = Path(os.path.abspath(os.path.expanduser(folder)))
    if not place.is_dir():
        raise UsageError(f"{place} is no folder.")
    target = Path(os.path.abspath(output)) if output else place
    description, drawing = target / DESCRIPTION, target / PICTURE
    _refuse_written(description, drawing if picture else None, overwrite)
    _refuse_unknown(task)
    if not images and not annotations:
        _refuse_bids(place)
    found = find_layout(place, images, annotations)
    contents = look(
        found,
        task=task,
        labels=labels,
        channels=channels,
        ignore=ignore,
        ask=ask or _no_answer,
        workers=workers,
    )
    if spacing is not None and len(spacing) != contents.geometry.dim:
        raise UsageError(
            f"--spacing has {amount(len(spacing), 'number')}, and images have "
            f"{contents.geometry.dim} axes. Give one for each, slowest axis first."
        )
    raw = _description(found, contents, spacing, unit)
    target.mkdir(parents=True, exist_ok=True)
    dataset = _write(raw, found, target)
    if picture:
        from autoseg.describing.picture import draw

        drawn = draw(dataset, drawing)
    return Understood(
        folder=target,
        dataset=dataset,
        found=found,
        contents=contents,
        picture=drawing if picture and drawn else None,
    )


def _refuse_written(description: Path, drawing: Path | None, overwrite: bool) -> None:
    """Raise UsageError if a file that somebody made would be written over."""
    if description.exists() and not overwrite:
        raise UsageError(
            f"{description} is there already; --overwrite writes it anew. "
            "`autoseg check` says whether it is right."
        )
    if drawing is not None:
        refuse_foreign([drawing], overwrite=overwrite)


def _refuse_unknown(task: str | None) -> None:
    """Raise UsageError if there is no such task."""
    if task is not None and task not in TASKS:
        near = did_you_mean(task, TASKS.names())
        raise UsageError(
            f"No task {task!r}.{near} There are: {', '.join(TASKS.names())}."
        )


def _refuse_bids(folder: Path) -> None:
    """Raise UsageError if a folder is a data set as it is, by BIDS's rules."""
    if not is_bids(folder) or not (folder / "derivatives").is_dir():
        return
    try:
        described(folder, None)
    except DatasetError as error:
        raise UsageError(
            f"{error} The rest of a BIDS data set is taken as it is: docs/dataset.md."
        ) from None
    raise UsageError(
        f"{folder} is a BIDS data set, which needs no dataset.json. `autoseg check "
        f"{folder}` says whether all is right."
    )


def _no_answer(question: str, answers: Sequence[str], option: str) -> str:
    either = " or ".join(f"{option} {answer}" for answer in answers)
    raise UsageError(f"{question} Say which is meant: {either}.")


def _description(
    found: Found,
    contents: Contents,
    spacing: Sequence[float] | None,
    unit: str | None,
) -> dict[str, Any]:
    """Return dataset.json without its cases."""
    raw: dict[str, Any] = {
        "task": contents.task,
        "channel_names": {str(n): name for n, name in enumerate(contents.channels)},
    }
    raw.update(contents.keys)
    if spacing is not None:
        raw["spacing"] = [float(value) for value in spacing]
    if unit is not None:
        raw["unit"] = unit
    groups = {case.id: case.group for case in found.cases if case.group}
    if groups:
        raw["groups"] = groups
    raw["numTraining"] = len(found.cases)
    return raw


def _write(raw: dict[str, Any], found: Found, folder: Path) -> Dataset:
    """Write dataset.json: cases are listed unless they are found by themselves."""
    path = folder / DESCRIPTION
    before = path.read_bytes() if path.is_file() else None
    try:
        if (folder / "imagesTr").is_dir():
            write_text(path, dumps(raw))
            dataset = load_dataset(folder)
            own = {(case.id, case.images, case.annotation) for case in dataset.training}
            if own == {(c.id, c.images, c.annotation) for c in found.cases}:
                return dataset
        listed = {case.id: _entry(case, folder) for case in found.cases}
        write_text(path, dumps({**raw, "dataset": listed}))
        return load_dataset(folder)
    except Exception as error:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before)
        if isinstance(error, DatasetError):
            head = f"{path} needs mending:"
            raise UsageError(
                "Nothing was written, for a dataset.json of this cannot be used:"
                f"{str(error).removeprefix(head)}"
            ) from None
        raise


def _entry(case: Any, folder: Path) -> dict[str, Any]:
    return {
        "images": [_relative(path, folder) for path in case.images],
        "label": _relative(case.annotation, folder),
    }


def _relative(path: Path, folder: Path) -> str:
    """Return a path as dataset.json has it."""
    try:
        found = os.path.relpath(path, folder)
    except ValueError:  # another drive
        found = str(path)
    return found.replace(os.sep, "/")
