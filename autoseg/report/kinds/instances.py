"""Instances: objects in colors of their own, their sizes, AP, and their scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.annotations import read_prediction
from autoseg.evaluate.aggregate import Scores
from autoseg.instancefiles.table import read_scores as read_scores
from autoseg.metrics.learnt import has
from autoseg.metrics.object_scores import RIGHT, ScoreEvidence, fit
from autoseg.report.calibration import Checked, sample
from autoseg.report.confusion import (
    MOST_CASES,
    NOTHING,
    confused_objects,
    described,
)
from autoseg.report.kinds import REPORT_KINDS
from autoseg.report.kinds.base import Json, ReportKind
from autoseg.report.pictures.instance_layer import InstanceLayer
from autoseg.report.pictures.layers import Layer
from autoseg.report.pictures.turned import Turned
from autoseg.report.reliability import rank_correlation, reliability, tally
from autoseg.report.statistics import Region
from autoseg.spec.arrays.overlaps import in_layers
from autoseg.spec.instances import as_instances
from autoseg.tasks.instance.scores import judged

Array = NDArray[Any]

MATCHED = 0.5  # IoU over which an instance counts as found
FIFTHS = 5
OF_OBJECTS = {"ap_50": "AP50", "map": "mean AP", "pq": "PQ"}


@REPORT_KINDS.register
class InstancesReport(ReportKind):
    """Objects with ids."""

    objects = "instances"
    marks = "Each object has a color of its own; white line: annotation."
    marks_alone = "Each object has a color of its own."

    def layer(self, first: Any, second: Any, turned: Turned) -> Layer:
        return InstanceLayer(
            prediction=turned.array(np.asarray(first)),
            reference=None if second is None else turned.array(np.asarray(second)),
            under=[turned.array(one) for one in whole_layers(first)],
            under_reference=[turned.array(one) for one in whole_layers(second)],
        )

    def metric(self, cases: Mapping[str, Scores]) -> str:
        return "map"

    def texts(self, scores: Scores, unit: str) -> dict[str, str]:
        """Return what is asked for of a single class, or the mean AP of several."""
        if len(scores) == 1:
            (of,) = scores.values()
            return {text: f"{of[name]:.3f}" for name, text in OF_OBJECTS.items()}
        return {name: f"{of['map']:.3f}" for name, of in scores.items()}

    def foot(self, cases: Sequence[Scores]) -> str:
        return "AP, mean AP (IoU 0.50 to 0.95) and PQ: docs/metrics.md"

    def regions(self, annotation: Any) -> Iterator[Region]:
        from scipy.ndimage import find_objects

        found, names = as_instances(annotation), self.task.class_names
        for number, box in enumerate(find_objects(found.labels), start=1):
            if box is not None:
                kind = found.class_of(number)
                name = names.get(kind, str(kind))
                start = tuple(part.start for part in box)
                yield Region(name, number, found.labels[box] == number, start)

    def confusion(self, checked: Checked) -> Json | None:
        names = self.task.class_names
        if len(names) < 2:
            return None

        def look(case: str, path: Path) -> Array:
            said, _ = read_prediction(path, checked.dataset, self.task, case_id=case)
            truth = as_instances(checked.annotation(case))
            return confused_objects(truth, as_instances(said), list(names), MATCHED)

        found = checked.each(look, checked.some(MOST_CASES))
        return described(
            list(found.values()), list(names.values()), NOTHING, "instances"
        )

    def calibration(self, checked: Checked) -> Json | None:
        def look(case: str, path: Path) -> Array | None:
            table = path.with_name(f"{case}_instances.csv")
            if not table.is_file():
                return None
            truth = checked.annotation(case)
            said, _ = read_prediction(path, checked.dataset, self.task, case_id=case)
            return judged(as_instances(said), as_instances(truth), read_scores(table))

        found = checked.each(look, checked.files())
        tables = [found[case] for case in found]
        if not tables or not sum(map(len, tables)):
            return None
        learnt = any(has(ScoreEvidence, fold.folder) for fold in checked.trained.folds)
        chances = fitted_apart(tables) if learnt else [t[:, 0] for t in tables]
        every = np.concatenate(tables)
        pairs = np.stack([np.concatenate(chances), every[:, 1]], 1)
        plain = _reliability([t[:, 0] for t in tables], tables)
        return {
            "kind": "scores",
            "cases": len(tables),
            "matched": RIGHT,
            "classes": {"instances": _reliability(chances, tables)},
            "uncalibrated": {"instances": plain} if learnt else {},
            "correlation": rank_correlation(every[:, 0], every[:, 1]),
            "pairs": sample(pairs),
        }

    def no_calibration(self, where: str) -> str:
        return "no prediction of a held-out case has a table with scores beside it."


def whole_layers(annotation: Any) -> Sequence[Array]:
    """Return maps that hold objects whole that overlap; none where nothing does."""
    found = None if annotation is None else as_instances(annotation)
    if found is None or not found.masks:
        return ()
    arranged = found.arranged
    return list(in_layers(arranged.codes, arranged.shares))


def score_pairs(predicted: Any, reference: Any, scores: Mapping[int, float]) -> Array:
    """Return score and best IoU of each predicted instance, (instances, 2).

    Only annotated instances of the same class are looked at; of an instance that
    touches none the IoU is 0.
    """
    return judged(predicted, reference, scores)[:, :2]


def fitted_apart(tables: Sequence[Array]) -> list[Array]:
    """Return the chances that objects are right, as other cases teach: by case.

    A fifth of the cases at a time is told what the other four say.

    Parameters
    ----------
    tables : sequence of ndarray of float, shape (N, 3)
        See `judged`.
    """
    found: list[Array] = []
    for number, table in enumerate(tables):
        others = [t for i, t in enumerate(tables) if (i - number) % FIFTHS]
        rows = np.concatenate(others) if others else np.zeros((0, 3))
        curve = fit(rows[:, 0], rows[:, 2] > 0)
        found.append(table[:, 0] if curve is None else curve.chances(table[:, 0]))
    return found


def _reliability(said: Sequence[Array], tables: Sequence[Array]) -> Json | None:
    return reliability(
        np.stack([tally(s, t[:, 2]) for s, t in zip(said, tables, strict=True)])
    )
