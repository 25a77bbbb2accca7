"""What is scored: the meaning of labels, and the annotation of each case."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoseg.datasets.instance_files import is_many_files
from autoseg.datasets.read import load_dataset
from autoseg.errors import UsageError, some_of
from autoseg.evaluate.kinds.base import EvaluateKind
from autoseg.spec.choice import Choice
from autoseg.spec.dataset import Dataset
from autoseg.tasks import choose_task
from autoseg.workspace import find_dataset, find_root

PathLike = str | os.PathLike[str]
Labels = Mapping[str, Any] | Sequence[Any]

SHOWN_CASES = 10


def describe(
    annotations: PathLike | None,
    dataset: PathLike | Dataset | None,
    root: PathLike | None,
) -> Dataset | None:
    """Return the data set that says what labels mean, if one is given.

    Parameters
    ----------
    annotations : path or None
        May be the folder of a data set.
    dataset : path, Dataset or None
        What is asked first.
    root : path or None
        ROOT, for a data set given by name.
    """
    if isinstance(dataset, Dataset):
        return dataset
    if dataset is not None:
        return load_dataset(find_dataset(dataset, find_root(root)))
    if annotations is not None and (Path(annotations) / "dataset.json").is_file():
        return load_dataset(Path(annotations))
    return None


def task_meant(
    dataset: Dataset | None,
    labels: Labels | None,
    ignore: int | None,
    task: Choice | None,
) -> Choice:
    """Return the task with its options: what is given, else that of the data set.

    Parameters
    ----------
    dataset : Dataset or None
        What is asked last.
    labels : mapping or sequence, or None
        Values in files by class, or values only.
    ignore : int or None
        With ``labels``: value of voxels that nobody annotated.
    task : Choice or None
        What is asked first.

    Raises
    ------
    UsageError
        If nothing is given.
    """
    if task is not None:
        return task
    if labels is not None:
        return Choice(name="semantic", options=_options(labels, ignore))
    if dataset is None:
        raise UsageError(
            "what do the label values mean? Give a data set (-d), or the values (-l)."
        )
    return choose_task(dataset)


def _options(labels: Labels, ignore: int | None) -> dict[str, Any]:
    """Return the options of the semantic task for classes given by their values."""
    if not isinstance(labels, Mapping):
        labels = {_name(value): value for value in labels}
    named = {str(n): v if isinstance(v, int) else list(v) for n, v in labels.items()}
    lowest = min(min(v) if isinstance(v, list) else v for v in named.values())
    if lowest > 0:
        named = {"background": 0, **named}
    options: dict[str, Any] = {"labels": named}
    if ignore is not None:
        options["ignore"] = ignore
    return options


def _name(value: int | Sequence[int]) -> str:
    return str(value) if isinstance(value, int) else "+".join(map(str, value))


def refuse_exchanged(
    dataset: Dataset | None, predictions: PathLike, annotations: PathLike | None
) -> None:
    """Raise UsageError if predictions and annotations were given the wrong way round.

    Parameters
    ----------
    dataset : Dataset or None
        Whose annotations are no predictions.
    predictions : path
        What is to be scored.
    annotations : path or None
        Against what.
    """
    if dataset is None or annotations is None:
        return
    places = [c.annotation for c in dataset.training if c.annotation is not None]
    own = {(dataset.folder / "labelsTr").absolute(), *(p.absolute() for p in places)}
    given = Path(annotations).absolute()
    others = given not in own and given != dataset.folder.absolute()
    if others and Path(predictions).absolute() in own:
        raise UsageError(
            f"{predictions} are the annotations of the data set, and are to be scored "
            f"as predictions against {annotations}. Give predictions with -p, and "
            "annotations with -g."
        )


def find_references(
    kind: EvaluateKind, annotations: PathLike | None, cases: Sequence[str] | None
) -> dict[str, Path]:
    """Return the annotation file of each case to score.

    Parameters
    ----------
    kind : EvaluateKind
        Knows what files annotations are, and the data set.
    annotations : path or None
        A folder of them, or a data set's; by default those of the data set.
    cases : sequence of str or None
        Ids of the cases to score; by default all that are annotated.

    Raises
    ------
    UsageError
        If there are none, or a case has none.
    """
    dataset = kind.dataset
    folder = None if annotations is None else Path(annotations)
    if folder is not None and dataset is not None:
        own = [c.annotation for c in dataset.training if c.annotation is not None]
        inside = folder.absolute() == (dataset.folder / "labelsTr").absolute()
        if inside and any(map(is_many_files, own)):  # the data set knows which is whose
            folder = dataset.folder
    if folder is not None and not (folder / "dataset.json").is_file():
        references = kind.files(folder)
    elif dataset is not None:
        every = dataset.training
        references = {c.id: c.annotation for c in every if c.annotation is not None}
    else:
        raise UsageError("which annotations? Give their folder (-g), or a data set.")
    if cases is not None:
        unknown = [case for case in cases if case not in references]
        if unknown:
            raise UsageError(
                f"there is no annotation of {some_of(unknown, SHOWN_CASES)}."
            )
        references = {case: references[case] for case in cases}
    if not references:
        raise UsageError(f"{folder or 'the data set'} has no annotation that is read.")
    return references
