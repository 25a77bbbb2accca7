"""Stage: score predictions against annotations.

Reads two folders of annotations in the same format family, or a folder and a data set;
writes ``summary.json`` and ``summary.csv`` beside the predictions.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.instance_files import is_many_files
from autoseg.datasets.read import load_dataset
from autoseg.errors import CaseErrors, FormatError, UsageError, some_of
from autoseg.evaluate.aggregate import Scores, aggregate
from autoseg.evaluate.files import files_by_case, match
from autoseg.evaluate.grids import differing_grids
from autoseg.evaluate.point_files import geometry_of, images_in, point_files
from autoseg.evaluate.points import POINT_TABLE, summarize_points, write_point_table
from autoseg.evaluate.summary import Summary
from autoseg.parallel import map_cases
from autoseg.spec.choice import Choice
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.image import Geometry
from autoseg.tasks import TASKS
from autoseg.workspace import SUMMARY, find_dataset, find_root

PathLike = str | os.PathLike[str]
Labels = Mapping[str, Any] | Sequence[Any]

SHOWN_CASES = 10
SIZE_QUANTILES = (0.25, 0.75)  # of annotated objects: small below, large above

log = logging.getLogger(__name__)


def evaluate(
    predictions: PathLike,
    annotations: PathLike | None = None,
    dataset: PathLike | Dataset | None = None,
    *,
    labels: Labels | None = None,
    ignore: int | None = None,
    task: Choice | None = None,
    cases: Sequence[str] | None = None,
    tolerance: float | None = None,
    border: bool | None = None,
    size_limits: Sequence[float] | None = None,
    normalization: str | Sequence[str] | None = None,
    images: PathLike | None = None,
    chill: bool = False,
    output: PathLike | None = None,
    root: PathLike | None = None,
    workers: int | None = None,
) -> Summary:
    """Score every prediction, and sum up what was found.

    Parameters
    ----------
    predictions : path
        Folder with a file for each case; of landmarks also one file with all cases.
    annotations : path, optional
        The same with the same case ids, or a data set folder; by default the
        annotations of ``dataset``.
    dataset : path, name, number or Dataset, optional
        What says which label means what. One of ``dataset``, ``labels`` and ``task`` is
        needed, unless ``annotations`` is a data set folder.
    labels : mapping of str to int, or sequence of int or of list of int, optional
        Classes to score in place of a data set's, such as ``{"liver": 1}`` or
        ``[1, 2, [1, 2]]``; a list makes a region of several values.
    ignore : int, optional
        With ``labels``: value of voxels that nobody annotated.
    task : Choice, optional
        A task with options, as in a plan, in place of those two.
    cases : sequence of str, optional
        Ids of the cases to score; by default all that are annotated.
    tolerance : float, optional
        Of the NSD, in the annotations' unit; by default the smallest edge of a voxel of
        each case.
    border : bool, optional
        Of instances: whether those that touch an outer face of the image count; by
        default they do.
    size_limits : sequence of two float, optional
        Of instances: up to which size an object is small, and over which it is large,
        in the annotations' unit to the D; by default the quartiles of all that are
        annotated.
    normalization : str or (str, str), optional
        Of landmarks' errors: ``"diagonal"`` of the box around them (default),
        ``"box"``, or two landmarks whose distance is 1.
    images : path, optional
        Of landmarks: folder of the cases' images, for the length of a voxel; by default
        the data set's training and test images. Our own predictions say it themselves.
    chill : bool
        Score what is there; without it, an annotated case without a prediction is an
        error.
    output : path, optional
        Where ``summary.json`` goes, or a file name ending in ``.json``; a table of the
        same name goes beside it. By default the folder of predictions.
    root : path, optional
        ROOT, for ``dataset`` given by name.
    workers : int, optional
        Cases at a time.

    Returns
    -------
    Summary
        Scores by case and class, means, confidence intervals.

    Raises
    ------
    UsageError
        If predictions are missing, nothing says what the labels mean, or an option
        means nothing to the task.
    CaseErrors
        If some cases could not be scored; the summary of the others is written.
    """
    described = _describe(annotations, dataset, root)
    scorer = _Scorer(
        choice=_task_of(described, labels, ignore, task),
        dataset=described,
        options=_given(
            tolerance=tolerance,
            border=border,
            size_limits=size_limits,
            normalization=normalization,
        ),
        images=images_in(images, described),
    )
    scorer.check()
    references = _references(scorer, annotations, cases)
    found = scorer.files(Path(predictions))
    ids, missing, extra = match(found, references)
    _complain(Path(predictions), ids, missing, chill)
    if extra and cases is None:
        log.info(
            "%d predictions have no annotation: %s",
            len(extra),
            some_of(extra, SHOWN_CASES),
        )
    scorer.find_size_limits({case: references[case] for case in ids}, workers)
    scores, failures = _score(scorer, ids, found, references, workers)
    classes, foreground = aggregate(scores)
    summary = Summary(
        unit=scorer.unit,
        foreground=foreground,
        classes=classes,
        cases=scores,
        missing=tuple(missing),
        failed={c: str(e) for c, e in failures.failures.items()} if failures else {},
        without_annotation=tuple(extra) if cases is None else (),
        points=scorer.points_of(scores),
    )
    _write(summary, output_file(predictions, output))
    if failures is not None:
        raise failures
    return summary


def _write(summary: Summary, file: Path) -> None:
    summary.save(file)
    summary.save_table(file.with_suffix(".csv"))
    if summary.points:
        write_point_table(file.with_name(POINT_TABLE), summary.points)


@dataclass(kw_only=True)
class _Scorer:
    """Scores one case from its two files."""

    choice: Choice
    dataset: Dataset | None
    options: dict[str, Any]
    images: Sequence[Case] = ()
    unit: str = "px"

    def check(self) -> None:
        """Raise UsageError if an option means nothing to the task."""
        self.task = TASKS[self.choice.name](**self.choice.options)
        for name in self.options:
            if name not in self.task.score_options:
                known = ", ".join(self.task.score_options) or "none"
                raise UsageError(
                    f"{name} means nothing to the task {self.choice.name!r}; its "
                    f"options are: {known}."
                )
        if not self.options.get("tolerance", 0) >= 0:
            raise UsageError(
                f"the tolerance is {self.options['tolerance']}; give 0 or more."
            )

    def files(self, folder: Path) -> dict[str, Path]:
        """Return the file of each case; of points, one file can hold all cases."""
        if self.task.kind == "points":
            return point_files(folder, self.dataset)
        return files_by_case(folder)

    def points_of(self, cases: Mapping[str, Scores]) -> dict[str, dict[str, float]]:
        """Return what landmarks come to; of other tasks nothing."""
        points = self.task.kind == "points"
        return summarize_points(cases) if points else {}

    def find_size_limits(
        self, annotations: Mapping[str, Path], workers: int | None
    ) -> None:
        """Take the quartiles of all annotated objects, unless limits are given."""
        if (
            "size_limits" not in self.task.score_options
            or "size_limits" in self.options
        ):
            return
        sizes: dict[str, Any] = {}
        with suppress(CaseErrors):  # the same files fail again when they are scored
            map_cases(
                lambda case: self._sizes(case, annotations[case]),
                list(annotations),
                stage="measure objects",
                workers=workers,
                done=sizes.__setitem__,
            )
        every = np.concatenate([np.zeros(0), *sizes.values()])
        if len(every):
            self.options["size_limits"] = np.quantile(every, SIZE_QUANTILES).tolist()

    def _sizes(self, case: str, annotation: Path) -> Any:
        image = self._image(case) if is_many_files(annotation) else None
        reference, geometry = self._read(annotation, image, case)
        return self.task.object_sizes(reference, geometry.spacing)

    def __call__(self, case: str, prediction: Path, annotation: Path) -> Scores:
        points = self.task.kind == "points"
        # Files of points rarely say in which image they are; our predictions do.
        image = self._image(case) if points else None
        predicted, its_geometry = self._read(
            prediction, image, case if points else None
        )
        reference, geometry = self._read(annotation, its_geometry, case)
        reason = differing_grids(its_geometry, geometry)
        if reason:
            raise FormatError(
                f"{prediction.name} is not on the grid of its annotation: {reason}. "
                "Write predictions in the geometry of the image."
            )
        self.unit = geometry.unit
        scores: Scores = self.task.score(
            predicted,
            reference,
            geometry.spacing,
            **self.options,
        )
        return scores

    def _image(self, case_id: str) -> Geometry | None:
        """Return the geometry of a case's image, if it is known where that is."""
        return geometry_of(case_id, self.dataset, self.images)

    def _read(
        self, path: Path, image: Geometry | None = None, case: str | None = None
    ) -> tuple[Any, Geometry]:
        return read_annotation(path, self.dataset, self.task, image=image, case_id=case)


def _score(
    scorer: _Scorer,
    ids: Sequence[str],
    found: Mapping[str, Path],
    references: Mapping[str, Path],
    workers: int | None,
) -> tuple[dict[str, Scores], CaseErrors | None]:
    """Score cases; return the scores of those that could be, and why others not."""
    scores: dict[str, Scores] = {}
    try:
        map_cases(
            lambda case: scorer(case, found[case], references[case]),
            ids,
            stage="evaluate",
            workers=workers,
            done=scores.__setitem__,
        )
    except CaseErrors as error:
        return scores, error
    return scores, None


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def _describe(
    annotations: PathLike | None,
    dataset: PathLike | Dataset | None,
    root: PathLike | None,
) -> Dataset | None:
    """Return the data set that says what labels mean, if one is given."""
    if isinstance(dataset, Dataset):
        return dataset
    if dataset is not None:
        return load_dataset(find_dataset(dataset, find_root(root)))
    if annotations is not None and (Path(annotations) / "dataset.json").is_file():
        return load_dataset(Path(annotations))
    return None


def _task_of(
    dataset: Dataset | None,
    labels: Labels | None,
    ignore: int | None,
    task: Choice | None,
) -> Choice:
    if task is not None:
        return task
    if labels is not None:
        return Choice(name="semantic", options=_options(labels, ignore))
    if dataset is None:
        raise UsageError(
            "what do the label values mean? Give a data set (-d), or the values (-l)."
        )
    return Choice(name=dataset.task, options=TASKS[dataset.task].from_dataset(dataset))


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


def _references(
    scorer: _Scorer, annotations: PathLike | None, cases: Sequence[str] | None
) -> dict[str, Path]:
    """Return the annotation file of each case to score."""
    dataset = scorer.dataset
    folder = None if annotations is None else Path(annotations)
    if folder is not None and dataset is not None:
        own = [c.annotation for c in dataset.training if c.annotation is not None]
        inside = folder.absolute() == (dataset.folder / "labelsTr").absolute()
        if inside and any(map(is_many_files, own)):  # the data set knows which is whose
            folder = dataset.folder
    if folder is not None and not (folder / "dataset.json").is_file():
        references = scorer.files(folder)
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


def _complain(
    folder: Path, ids: Sequence[str], missing: Sequence[str], chill: bool
) -> None:
    if not ids:
        raise UsageError(
            f"{folder} has no prediction of any annotated case; the first that is "
            f"looked for is {missing[0]}."
        )
    if missing and not chill:
        raise UsageError(
            f"{folder} lacks the predictions of {len(missing)} annotated cases: "
            f"{some_of(missing, SHOWN_CASES)}. Predict them, or score what is there "
            "with --chill."
        )


def output_file(predictions: PathLike, output: PathLike | None) -> Path:
    """Return the file of a summary; by default beside the predictions."""
    if output is None:
        path = Path(predictions)
        return (path.parent if path.is_file() else path) / SUMMARY
    path = Path(output)
    return path if path.suffix == ".json" else path / SUMMARY
