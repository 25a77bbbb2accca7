"""Calibration of what was trained: do its predictions know how good they are?

Of label maps, probabilities of voxels; of instances, their scores beside their IoU; of
landmarks, the error that is to be expected beside the one that was made. Held-out cases
only.
"""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import AutosegError, CaseErrors
from autoseg.find_best.outputs import kept_outputs
from autoseg.metrics.contingency import count_shared
from autoseg.metrics.points import distances
from autoseg.model.confidence import load_confidence
from autoseg.parallel import map_cases
from autoseg.predict.readouts.ensemble import open_outputs
from autoseg.predict.readouts.probabilities import LEVELS
from autoseg.report.artist import Artist
from autoseg.report.reliability import (
    BINS,
    coverage,
    rank_correlation,
    reliability,
    tally,
)
from autoseg.spec.dataset import Dataset
from autoseg.spec.image import Geometry
from autoseg.spec.instances import as_instances
from autoseg.train.after.results import Trained, scores_of
from autoseg.workspace import Workspace

Json = dict[str, Any]
Array = NDArray[Any]

SHOWN = 1500  # points of a scatter chart
MATCHED = 0.5  # IoU over which an instance counts as found
QUANTILES = {"error_p50": 50, "error_p95": 95}
AT_ONCE = 2**22  # voxels of a class

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """One configuration whose calibration is looked at.

    Parameters
    ----------
    trained : Trained
        The folds.
    artist : Artist
        Knows the data set, its task and where predictions are.
    workspace : Workspace
        Where outputs are kept.
    workers : int or None
        Cases at a time.
    """

    trained: Trained
    artist: Artist
    workspace: Workspace
    workers: int | None = None

    @property
    def dataset(self) -> Dataset:
        """With the annotations."""
        return self.artist.dataset

    @property
    def task(self) -> Any:
        """What they mean."""
        return self.artist.task

    def files(self) -> dict[str, Path]:
        """Return the predictions of held-out cases, by case."""
        found: dict[str, Path] = {}
        for fold in self.trained.folds:
            if fold.held_out and fold.summary is not None:
                there = self.artist.predictions(fold.predictions)
                found |= {c: there[c] for c in scores_of(fold) if c in there}
        return found

    def each(self, look: Callable[[str, Path], Any], files: Mapping[str, Path]) -> Json:
        """Return what a look at each case says; cases that fail are told of."""
        found: Json = {}
        try:
            map_cases(
                lambda case: look(case, files[case]), sorted(files),
                stage="calibration", workers=self.workers, done=found.__setitem__,
            )  # fmt: skip
        except CaseErrors as error:
            log.warning("%s: %s", self.trained.name, error)
        return {case: found[case] for case in sorted(found) if found[case] is not None}

    def annotation(self, case_id: str, image: Geometry | None = None) -> Any:
        """Return what was drawn, in the task's inner form; points in an image's."""
        case = self.dataset.case(case_id)
        if case.annotation is None:
            raise AutosegError(f"{case_id} has no annotation any more.")
        found, _ = read_annotation(
            case.annotation, self.dataset, self.task, image=image, case_id=case_id
        )
        return found


def describe_calibration(checked: Checked) -> Json | None:
    """Return how well the predictions of one configuration know themselves.

    Parameters
    ----------
    checked : Checked
        What to look at.

    Returns
    -------
    dict of str to JSON value, or None
        ``kind``: ``"probabilities"``, ``"scores"`` or ``"errors"``; ``cases``; and for
        each class numbers of `autoseg.report.reliability`. None where there is nothing
        to look at: no held-out case, no kept outputs, no scores.
    """
    kind = {"semantic": _probabilities, "instance": _scores, "landmark": _errors}.get(
        checked.dataset.task
    )
    return None if kind is None else kind(checked)


def _probabilities(checked: Checked) -> Json | None:
    task = checked.task
    if task.pointwise is None:
        return None
    held_out = sum(len(scores_of(f)) for f in checked.trained.folds if f.held_out)
    files = kept_outputs(checked.trained, checked.workspace)
    names = list(task.classes)

    def look(case: str, path: Path) -> Array:
        truth = checked.annotation(case)
        return _tally_voxels(open_outputs(path), np.asarray(truth), task)

    found = checked.each(look, files)
    if not found:
        return None
    tallies = np.stack(list(found.values()))
    return {
        "kind": "probabilities",
        "cases": len(found),
        "held_out": held_out,
        "classes": {n: reliability(tallies[:, i]) for i, n in enumerate(names)},
    }


def _tally_voxels(outputs: Any, truth: Array, task: Any) -> Array:
    """Return the tallies of all classes, (classes, 10, 3).

    A voxel counts for a class if the class has a probability there, however small, or
    is annotated: sure and true background would make every model look calibrated.
    """
    levels = np.zeros((len(task.classes), 2, LEVELS + 1))
    step = max(1, AT_ONCE // max(1, math.prod(truth.shape[1:])))
    for start in range(0, len(truth), step):
        rows = slice(start, start + step)
        part = truth[rows]
        counts = np.ones(part.shape, dtype=bool)
        if task.ignore_index is not None:
            counts = part != task.ignore_index
        for number, name in enumerate(task.classes):
            members = task.members(name)
            channel = number if task.pointwise.painted is not None else members[0]
            level = outputs[channel, rows]
            there = np.isin(part, members)
            counted = counts & ((level > 0) | there)
            for row, chosen in enumerate((counted, counted & there)):
                levels[number, row] += np.bincount(
                    level[chosen].ravel(), minlength=LEVELS + 1
                )
    said = np.arange(LEVELS + 1) / LEVELS
    return np.stack(
        [tally(said, hits / np.maximum(every, 1), every) for every, hits in levels]
    )


def _scores(checked: Checked) -> Json | None:
    task = checked.task

    def look(case: str, path: Path) -> Array | None:
        table = path.with_name(f"{case}_instances.csv")
        if not table.is_file():
            return None
        truth = checked.annotation(case)
        said, _ = read_annotation(path, checked.dataset, task, case_id=case)
        return score_pairs(as_instances(said), as_instances(truth), read_scores(table))

    found = checked.each(look, checked.files())
    pairs = [found[case] for case in found]
    if not pairs or not sum(map(len, pairs)):
        return None
    every = np.concatenate(pairs)
    tallies = np.stack([tally(p[:, 0], (p[:, 1] > MATCHED) * 1.0) for p in pairs])
    return {
        "kind": "scores",
        "cases": len(pairs),
        "matched": MATCHED,
        "classes": {"instances": reliability(tallies)},
        "correlation": rank_correlation(every[:, 0], every[:, 1]),
        "pairs": _sample(every),
    }


def read_scores(table: Path) -> dict[int, float]:
    """Return the score of each instance in a ``CASE_instances.csv`` that has one."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {int(row["id"]): float(row["score"]) for row in rows if row.get("score")}


def score_pairs(predicted: Any, reference: Any, scores: Mapping[int, float]) -> Array:
    """Return score and best IoU of each predicted instance: (instances, 2).

    Only annotated instances of the same class are looked at; of an instance that
    touches none the IoU is 0.
    """
    shared = count_shared(predicted.labels, reference.labels)
    best = np.zeros(len(shared.predicted))
    mine = np.array([predicted.class_of(int(i)) for i in shared.predicted])
    other = np.array([reference.class_of(int(i)) for i in shared.reference])
    if len(shared.rows):
        same = mine[shared.rows] == other[shared.columns]
        np.maximum.at(best, shared.rows[same], shared.ious[same])
    known = [n for n, i in enumerate(shared.predicted.tolist()) if i in scores]
    said = [scores[int(shared.predicted[n])] for n in known]
    return np.array([said, best[known]], dtype=np.float64).T.reshape(-1, 2)


def _errors(checked: Checked) -> Json | None:
    names = tuple(checked.task.classes)

    def look(case: str, path: Path) -> tuple[Array, Array] | None:
        found, geometry = read_annotation(
            path, checked.dataset, checked.task, case_id=case
        )
        if not all(key in found.details for key in QUANTILES):
            return None
        truth = checked.annotation(case, geometry).ordered(names)
        found = found.ordered(names)
        radii = [np.asarray(found.details[key], np.float64) for key in QUANTILES]
        return np.stack(radii, axis=1), distances(found, truth, geometry.spacing)

    found = checked.each(look, checked.files())
    if not found:
        return None
    radii, errors = (np.stack(parts) for parts in zip(*found.values(), strict=True))
    if not (np.isfinite(errors) & np.isfinite(radii).all(axis=2)).any():
        return None
    return {
        "cases": len(found),
        "thresholds": thresholds_of(checked.trained),
        **describe_errors(names, radii, errors),
    }


def thresholds_of(trained: Trained) -> dict[str, float]:
    """Return from which score on landmarks count as present, by all folds together.

    Parameters
    ----------
    trained : Trained
        A configuration.

    Returns
    -------
    dict of str to float
        By landmark, 0 for one that always does; empty where nothing was learnt.
    """
    folds = [fold.name for fold in trained.folds if fold.held_out and fold.finished]
    learnt = load_confidence(trained.folder, folds)
    if learnt is None:
        return {}
    return dict(zip(learnt.names, learnt.thresholds, strict=True))


def describe_errors(names: Sequence[str], radii: Array, errors: Array) -> Json:
    """Return how expected errors compare with those that were made.

    Parameters
    ----------
    names : sequence of str, length L
        The landmarks.
    radii : ndarray of float, shape (cases, L, 2)
        That are to hold half and 95 % of the errors.
    errors : ndarray of float, shape (cases, L)
        NaN where there is none.

    Returns
    -------
    dict of str to JSON value
        ``coverage`` of both radii, over all points and by landmark; ``bins``: points
        from the best to the worst by expectation, with the medians of the expected and
        of the made error; ``correlation`` of ranks; ``pairs`` to draw.
    """
    known = np.isfinite(errors) & np.isfinite(radii).all(axis=2)
    inside = np.where(known[..., None], errors[..., None] <= radii, np.nan)
    levels = list(QUANTILES.values())
    said, made = radii[known][:, 0], errors[known]
    order = np.argsort(said, kind="stable")
    parts = [part for part in np.array_split(order, BINS) if len(part)]
    return {
        "kind": "errors",
        "coverage": {str(q): coverage(inside[..., k]) for k, q in enumerate(levels)},
        "classes": {
            name: {
                str(q): coverage(inside[:, place, k : k + 1])
                for k, q in enumerate(levels)
            }
            | _medians(radii[:, place, 0], errors[:, place])
            for place, name in enumerate(names)
        },
        "bins": [
            {"said": float(np.median(said[p])), "seen": float(np.median(made[p]))}
            for p in parts
        ],
        "correlation": rank_correlation(said, made),
        "pairs": _sample(np.stack([said, made], axis=1)),
    }


def _medians(said: Array, made: Array) -> Json:
    known = np.isfinite(said) & np.isfinite(made)
    if not known.any():
        return {"said": None, "made": None}
    return {
        "said": float(np.median(said[known])),
        "made": float(np.median(made[known])),
    }


def _sample(pairs: Array) -> list[list[float]]:
    """Return some of many pairs, evenly spread, with few digits."""
    step = max(1, math.ceil(len(pairs) / SHOWN))
    return [[float(f"{v:.4g}") for v in pair] for pair in pairs[::step].tolist()]
