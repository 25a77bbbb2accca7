"""Label maps: classes filled, their volumes, Dice, and probabilities of voxels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.datasets.annotations import read_prediction
from autoseg.evaluate.aggregate import Scores
from autoseg.find_best.outputs import kept_outputs
from autoseg.predict.readouts.ensemble import open_outputs
from autoseg.predict.readouts.probabilities import LEVELS
from autoseg.report.calibration import Checked
from autoseg.report.confusion import MOST_CASES, confused_voxels, described
from autoseg.report.kinds import REPORT_KINDS
from autoseg.report.kinds.base import Json, ReportKind
from autoseg.report.pictures.label_layer import LabelLayer
from autoseg.report.pictures.layers import Layer
from autoseg.report.pictures.turned import Turned
from autoseg.report.reliability import reliability, tally
from autoseg.report.sampled import sampled
from autoseg.report.statistics import Region
from autoseg.spec.annotation import LabelMap, labels_of
from autoseg.tasks.base import Task
from autoseg.train.after.results import scores_of

Array = NDArray[Any]

AT_ONCE = 2**22  # voxels of a class


@REPORT_KINDS.register
class LabelsReport(ReportKind):
    """Classes that are values of a map; of a task without any, the map as it is."""

    shows_classes = True
    marks = "filled: prediction \N{NO-BREAK SPACE} line: annotation"
    marks_alone = ""
    doubt = "the agreement of mirrored copies"

    def __init__(self, task: Task, raw: Mapping[str, Any] | None = None) -> None:
        super().__init__(task, raw)
        members = {name: task.members(name) for name in task.classes}
        self.members = members if all(members.values()) else {}
        self.keeps_outputs = task.pointwise is not None and bool(self.members)

    def layer(self, first: Any, second: Any, turned: Turned) -> Layer:
        if not self.members:
            return super().layer(first, second, turned)
        return LabelLayer(
            prediction=turned.array(first),
            reference=None if second is None else turned.array(second),
            members=self.members,
            colors=self.colors,
        )

    def texts(self, scores: Scores, unit: str) -> dict[str, str]:
        if self.metric({"": scores}) != "dice":
            return super().texts(scores, unit)
        texts = {name: of.get("dice", math.nan) for name, of in scores.items()}
        return {
            name: "not there" if math.isnan(dice) else f"{dice:.3f}"
            for name, dice in texts.items()
        }

    def foot(self, cases: Sequence[Scores]) -> str:
        means = []
        for name in dict.fromkeys(name for case in cases for name in case):
            values = [case.get(name, {}).get("dice", math.nan) for case in cases]
            known = [value for value in values if not math.isnan(value)]
            if known:
                means.append(f"{name} {sum(known) / len(known):.3f}")
        return f"mean Dice of these cases:  {'   '.join(means)}" if means else ""

    def regions(self, annotation: Any) -> Iterable[Region]:
        if not self.members:
            return super().regions(annotation)
        labels = np.asarray(annotation)
        return (
            Region.of(name, np.isin(labels, values))
            for name, values in self.members.items()
        )

    def confusion(self, checked: Checked) -> Json | None:
        values = [value for of in self.members.values() for value in of]
        if len(self.members) < 2 or len(set(values)) < len(values):  # regions overlap
            return None

        def look(case: str, path: Path) -> Array:
            said, _ = read_prediction(
                path, checked.dataset, self.task, case_id=case, lazily=True
            )
            truth = labels_of(checked.annotation(case, lazily=True))
            return confused_voxels(truth, labels_of(said), self.members)

        found = checked.each(look, checked.some(MOST_CASES))
        tables = list(found.values())
        return described(tables, list(self.members), "background", "voxels")

    def calibration(self, checked: Checked) -> Json | None:
        if not self.keeps_outputs:
            return None
        return sampled(checked, self.members) or self._kept(checked)

    def _kept(self, checked: Checked) -> Json | None:
        """Look at the outputs that `find_best` keeps."""
        held_out = sum(len(scores_of(f)) for f in checked.trained.folds if f.held_out)
        files = kept_outputs(checked.trained, checked.workspace)
        names = list(self.members)

        def look(case: str, path: Path) -> Array:
            truth = checked.annotation(case)
            return _tally_voxels(open_outputs(path), truth, self.task)

        found = checked.each(look, files)
        if not found:
            return None
        tallies = np.stack(list(found.values()))
        return {
            "kind": "probabilities",
            "cases": len(found),
            "held_out": held_out,
            "classes": {n: reliability(tallies[:, i]) for i, n in enumerate(names)},
            "temperature": None,
            "uncalibrated": {},
        }

    def no_calibration(self, where: str) -> str:
        if not self.keeps_outputs:
            return super().no_calibration(where)
        return (
            "no fold of it was validated since calibration is learnt, and no "
            "probabilities are kept. This predicts them: "
            f"autoseg report {where} --calibration"
        )


def _tally_voxels(outputs: Any, annotation: Any, task: Any) -> Array:
    """Return the tallies of all classes, (classes, 10, 3).

    A voxel counts for a class if the class has a probability there, however small, or
    is annotated: sure and true background would make every model look calibrated. It
    does not count for classes that the annotation does not speak of.
    """
    truth: Array = np.asarray(annotation)
    unknown = annotation.unknown if isinstance(annotation, LabelMap) else ()
    levels = np.zeros((len(task.classes), 2, LEVELS + 1))
    step = max(1, AT_ONCE // max(1, math.prod(truth.shape[1:])))
    for start in range(0, len(truth), step):
        rows = slice(start, start + step)
        part = truth[rows]
        counts = np.ones(part.shape, dtype=bool)
        if task.ignore_index is not None:
            counts = part != task.ignore_index
        for number, name in enumerate(task.classes):
            if name in unknown:
                continue
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
