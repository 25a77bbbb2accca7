"""Calibration of label maps by the voxels that validations have drawn.

Of each case probabilities are those by the temperature that the other cases teach, so
that what is shown is what new images may expect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.metrics.calibration import Evidence, together
from autoseg.predict.readouts.probabilities import LEVELS
from autoseg.report.calibration import Checked
from autoseg.report.reliability import reliability, tally
from autoseg.spec.head import Head
from autoseg.train.after.calibration import Sample, sample_file
from autoseg.train.after.results import scores_of
from autoseg.workspace import SAMPLES

Array = NDArray[Any]
Json = dict[str, Any]
Members = Mapping[str, Sequence[int]]

LEAST = 0.5 / LEVELS  # probabilities that are none, as where outputs are kept


def sampled(checked: Checked, members: Members) -> Json | None:
    """Return reliability curves of classes, before and after calibration.

    Parameters
    ----------
    checked : Checked
        A configuration; its task decides voxel by voxel.
    members : mapping of str to sequence of int
        Inner labels of each class.

    Returns
    -------
    dict of str to JSON value, or None
        None where no voxels were drawn.
    """
    files = {
        case: file
        for fold in checked.trained.folds
        if fold.held_out and fold.summary is not None
        for case in scores_of(fold)
        if (file := sample_file(fold.folder / SAMPLES, case)).is_file()
    }
    samples = checked.each(lambda _, file: Sample.load(file), files)
    if not samples:
        return None
    head = checked.task.voxel_head
    learnt = {case: one.evidence(head) for case, one in samples.items()}
    every = together(learnt.values())
    before, after = [], []
    for case, sample in samples.items():
        rest = _temperature(every.without(learnt[case]), head)
        before.append(_tallies(sample, head, 1.0, members))
        after.append(_tallies(sample, head, rest, members))
    plain, softened = np.stack(before), np.stack(after)
    return {
        "kind": "probabilities",
        "cases": len(samples),
        "held_out": sum(map(len, _scored(checked))),
        "temperature": _temperature(every, head),
        "classes": {n: reliability(softened[:, i]) for i, n in enumerate(members)},
        "uncalibrated": {n: reliability(plain[:, i]) for i, n in enumerate(members)},
    }


def _scored(checked: Checked) -> list[Any]:
    folds = (fold for fold in checked.trained.folds if fold.held_out)
    return [scores_of(fold) for fold in folds if fold.summary is not None]


def _temperature(evidence: Evidence, head: Head) -> float:
    known = evidence.calibration()
    return 1.0 if known is None else known.temperatures.get(head.name, 1.0)


def _tallies(sample: Sample, head: Head, temperature: float, members: Members) -> Array:
    """Return the tallies of all classes, (classes, 10, 3).

    A voxel counts for a class if the class has a probability there, however small, or
    is annotated, and the annotation speaks of it.
    """
    plain = sample.probabilities(head)
    said = sample.probabilities(head, temperature)
    found = []
    for number, labels in enumerate(members.values()):
        if head.activation == "softmax":
            channel = labels[0]
            seen = np.isin(sample.truth, labels).astype(np.float64)
        else:
            channel, seen = number, sample.truth[:, number].astype(np.float64)
        counted = np.isfinite(seen) & ((plain[:, channel] > LEAST) | (seen > 0.5))
        weights = sample.weights[counted].astype(np.float64)
        found.append(tally(said[counted, channel], seen[counted], weights))
    return np.stack(found)
