"""Stage: score predictions against annotations.

Reads two folders of annotations in the same format family, or a folder and a data set;
writes ``summary.json`` and ``summary.csv`` beside the predictions.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from autoseg.errors import CaseErrors, UsageError, amount, some_of
from autoseg.evaluate.aggregate import Scores, aggregate
from autoseg.evaluate.files import (
    is_in_dataset,
    match,
    output_file,
    without_suffix,
)
from autoseg.evaluate.inputs import (
    SHOWN_CASES,
    Labels,
    describe,
    find_references,
    refuse_exchanged,
    task_meant,
)
from autoseg.evaluate.kinds import EVALUATE_KINDS
from autoseg.evaluate.kinds.base import EvaluateKind, Pair
from autoseg.evaluate.point_files import images_in
from autoseg.evaluate.points import POINT_TABLE, write_point_table
from autoseg.evaluate.shares import Found, Shares
from autoseg.evaluate.summary import Summary
from autoseg.geometry.mapped import keeping_to
from autoseg.outputs import refuse_foreign
from autoseg.parallel import (
    MemoryBudget,
    check_part,
    loaded_bytes,
    map_cases,
    on_cluster,
    part,
)
from autoseg.spec.choice import Choice
from autoseg.spec.dataset import Case, Dataset
from autoseg.spec.foreign.letters import by_known_names
from autoseg.tasks import make_task

PathLike = str | os.PathLike[str]

# Bytes in work for each byte of label maps as float32: both in int16, and masks.
WORKING_SHARE = 2
# What workers import, whatever is scored.
NEEDED = (__name__, "SimpleITK", "scipy.ndimage", "scipy.spatial", "skimage.measure")

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
    overwrite: bool = False,
    root: PathLike | None = None,
    workers: int | None = None,
    max_memory: float | None = None,
    num_parts: int = 1,
    part_id: int = 0,
    cluster: str | None = None,
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
    overwrite : bool
        Replace also files that autoseg did not write, such as another program's
        ``summary.json``; never what is scored.
    root : path, optional
        ROOT, for ``dataset`` given by name.
    workers : int, optional
        Cases at a time, and never more than fit in memory.
    max_memory : float, optional
        GB of memory to take at most; by default four fifths of what is free. Label maps
        that are too large for it stay in their files and are read part by part, with
        the same scores.
    num_parts, part_id : int
        Score every ``num_parts``-th case only, from case number ``part_id`` on: one
        machine's share. The part that is done last writes the summary.
    cluster : str, optional
        Which Dask cluster works on the cases; see docs/cluster.md.

    Returns
    -------
    Summary
        Scores by case and class, means, confidence intervals.

    Raises
    ------
    UsageError
        If predictions are missing, nothing says what the labels mean, an option means
        nothing to the task, or a file would be replaced that autoseg did not write.
    CaseErrors
        If some cases could not be scored; the summary of the others is written.
    PartDone
        Of a part, if other parts have cases to score.
    """
    check_part(num_parts, part_id)
    described = describe(annotations, dataset, root)
    refuse_exchanged(described, predictions, annotations)
    given = {
        "tolerance": tolerance,
        "border": border,
        "size_limits": size_limits,
        "normalization": normalization,
    }
    choice = task_meant(described, labels, ignore, task)
    kind = _kind(
        choice,
        described,
        {name: value for name, value in given.items() if value is not None},
        images_in(images, described),
    )
    found, references = _both(kind, Path(predictions), annotations, cases)
    ids, missing, extra = match(found, references)
    _complain(Path(predictions), ids, missing, chill)
    read = [*found.values(), *references.values()]
    file = _checked_output(predictions, output, read, overwrite)
    unknown = _told(extra if cases is None else ())
    mine = part(ids, num_parts, part_id)
    with on_cluster(cluster, found[ids[0]], references[ids[0]], needs=NEEDED):
        kind.learn_unit(references, {case: found[case] for case in ids})
        kind.look_ahead({case: references[case] for case in ids}, workers)
        shares = Shares(file, num_parts, read, [choice, kind.options])
        own = _score(kind, mine, found, references, workers, max_memory)
    scored = shares.met(part_id, own, ids)
    summary = _summed(kind, scored, missing, unknown)
    _write(summary, file)
    shares.remove()
    if scored.failed:
        raise CaseErrors("evaluate", scored.failed, len(scored.scores))
    return summary


def _both(
    kind: EvaluateKind,
    predictions: Path,
    annotations: PathLike | None,
    cases: Sequence[str] | None,
) -> tuple[Mapping[str, Path], Mapping[str, Path]]:
    """Return the files of predictions and of annotations by the same ids."""
    drawn = find_references(kind, annotations, cases)
    found = without_suffix(kind.files(predictions), drawn)
    references = without_suffix(drawn, found)
    return by_known_names(found, references), references


def _told(unknown: Sequence[str]) -> Sequence[str]:
    """Say which predictions have no annotation, and return them."""
    if unknown:
        said = some_of(unknown, SHOWN_CASES)
        count = amount(len(unknown), "prediction")
        log.info("%s without annotation: %s", count, said)
    return unknown


def _summed(
    kind: EvaluateKind, scored: Found, missing: Sequence[str], unknown: Sequence[str]
) -> Summary:
    """Return the summary of what was found of all cases."""
    classes, foreground = aggregate(scored.scores)
    for remark in kind.remarks(scored.scores) if scored.scores else ():
        log.warning("%s", remark)
    return Summary(
        unit=scored.unit,
        foreground=foreground,
        classes=classes,
        cases=scored.scores,
        missing=tuple(missing),
        failed={case: str(error) for case, error in scored.failed.items()},
        without_annotation=tuple(unknown),
        points=kind.summed(scored.scores),
    )


def _kind(
    choice: Choice,
    dataset: Dataset | None,
    options: Mapping[str, Any],
    images: Sequence[Case],
) -> EvaluateKind:
    """Return what scores; raise UsageError if an option means nothing to its task."""
    task = make_task(choice)
    for name in options:
        if name not in task.score_options:
            known = ", ".join(task.score_options) or "none"
            raise UsageError(
                f"{name} means nothing to the task {choice.name!r}; its options are: "
                f"{known}."
            )
    if not options.get("tolerance", 0) >= 0:
        raise UsageError(f"the tolerance is {options['tolerance']}; give 0 or more.")
    kind = EVALUATE_KINDS.get(task.kind, EvaluateKind)
    return kind(task, dataset, options, images)


def _checked_output(
    predictions: PathLike,
    output: PathLike | None,
    read: Sequence[Path],
    overwrite: bool,
) -> Path:
    """Return the file of the summary, unless one of its files is not ours."""
    file = output_file(predictions, output)
    if output is None and is_in_dataset(file.parent):
        raise UsageError(
            f"{file} would lie among the files of a data set. Say where scores go (-o)."
        )
    files = (file, file.with_suffix(".csv"), file.with_name(POINT_TABLE))
    refuse_foreign(files, inputs=read, overwrite=overwrite)
    return file


def _write(summary: Summary, file: Path) -> None:
    summary.save(file)
    summary.save_table(file.with_suffix(".csv"))
    if summary.points:
        write_point_table(file.with_name(POINT_TABLE), summary.points)


def _score(
    kind: EvaluateKind,
    ids: Sequence[str],
    found: Mapping[str, Path],
    references: Mapping[str, Path],
    workers: int | None,
    max_memory: float | None,
) -> Found:
    """Score cases; say of those that could not be why."""
    scores: dict[str, Scores] = {}
    units = [kind.unit]
    failed: Mapping[str, Exception] = {}
    memory = MemoryBudget.of(max_memory)

    def keep(pair: Pair, scored: tuple[Scores, str]) -> None:
        scores[pair.case], units[0] = scored

    try:
        map_cases(
            partial(_scored, kind=kind.knowing(), memory=memory),
            [kind.pair(case, references[case], found[case]) for case in ids],
            stage="evaluate",
            workers=workers,
            name=lambda pair: pair.case,
            done=keep,
        )
    except CaseErrors as error:
        failed = error.failures
    return Found(unit=units[0], scores=scores, failed=failed)


def _scored(pair: Pair, kind: EvaluateKind, memory: MemoryBudget) -> tuple[Scores, str]:
    """Score a case once there is memory for its files, or for parts of large ones."""
    files = [pair.annotation, *([pair.prediction] if pair.prediction else [])]
    needed = WORKING_SHARE * loaded_bytes(files)
    with keeping_to(memory.total), memory.take(min(needed, memory.total)):
        return kind.score_pair(pair)


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
