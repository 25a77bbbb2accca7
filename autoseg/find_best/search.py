"""What all comparisons have in common: cases, classes, the measure, and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import UsageError, did_you_mean
from autoseg.evaluate.aggregate import Scores
from autoseg.evaluate.measures import main_measure, spelled
from autoseg.find_best.candidates import Candidate
from autoseg.find_best.outputs import ensure_outputs
from autoseg.find_best.table import Table, table_of, worst_distance
from autoseg.formats.base import read_image
from autoseg.model.dense_crf import DenseCrf, refined
from autoseg.parallel import map_cases
from autoseg.predict.readouts.ensemble import open_outputs
from autoseg.spec.dataset import Dataset
from autoseg.spec.fingerprint import Fingerprint
from autoseg.tasks import make_task
from autoseg.tasks.base import Task
from autoseg.workspace import Workspace

Outputs = Sequence[Any]


@dataclass(frozen=True, kw_only=True)
class Search:
    """What all comparisons have in common.

    Parameters
    ----------
    workspace : Workspace
        Of the data set.
    dataset : Dataset
        With its annotations.
    candidates : sequence of Candidate
        What is compared.
    fingerprint : Fingerprint
        Of the data set.
    task : Task
        Of the first candidate.
    by : str
        The measure.
    ids : sequence of str
        Cases, rows of tables.
    classes : sequence of str
        Columns of tables.
    device : str
        Where outputs are predicted that are not there.
    workers : int or None
        Cases scored at a time.
    crf : bool
        Dense conditional random fields are tried, too.
    files : dict of str to dict of str to Path
        Outputs that were looked for, by name of a candidate, then by case.
    """

    workspace: Workspace
    dataset: Dataset
    candidates: Sequence[Candidate]
    fingerprint: Fingerprint
    task: Task
    by: str
    ids: Sequence[str]
    classes: Sequence[str]
    device: str
    workers: int | None
    crf: bool = False
    files: dict[str, dict[str, Path]] = field(default_factory=dict)

    @classmethod
    def begin(
        cls,
        workspace: Workspace,
        dataset: Dataset,
        candidates: Sequence[Candidate],
        by: str | None,
        device: str,
        workers: int | None,
        *,
        crf: bool = False,
    ) -> Search:
        """Return what is compared, or raise UsageError if nothing was scored so."""
        first = candidates[0].cases
        measures = {m for case in first.values() for s in case.values() for m in s}
        by = spelled(by, measures) if by else main_measure(measures)
        if by not in measures:
            raise UsageError(
                f"nothing was scored by {by!r}.{did_you_mean(by, measures)} There is: "
                f"{', '.join(sorted(measures))}."
            )
        fingerprint = Fingerprint.load(workspace.fingerprint)
        return cls(
            workspace=workspace,
            dataset=replace(dataset, lengths=fingerprint.unit),
            candidates=candidates,
            fingerprint=fingerprint,
            task=make_task(candidates[0].task),
            by=by,
            ids=sorted(first),
            classes=list(dict.fromkeys(c for case in first.values() for c in case)),
            device=device,
            workers=workers,
            crf=crf,
        )

    @property
    def worst(self) -> float:
        """What an infinite distance counts as."""
        return worst_distance(self.fingerprint)

    def table(self, cases: Mapping[str, Scores]) -> Table:
        """Return the goodness of every case and class from their scores."""
        return table_of(cases, self.ids, self.classes, self.by, self.worst)

    def read(
        self,
        members: Sequence[Candidate],
        score: Callable[[Outputs, Any, Any], Any],
        crf: DenseCrf | None = None,
    ) -> dict[str, Any]:
        """Return what a function makes of outputs, annotation and spacing, by case.

        With a field, outputs are what it makes of them.
        """
        where = self.workspace, self.dataset, self.device
        for member in members:
            if member.name not in self.files:
                self.files[member.name] = ensure_outputs(member, *where)
        files = [self.files[member.name] for member in members]
        found: dict[str, Any] = {}

        def one(case_id: str) -> Any:
            case = self.dataset.case(case_id)
            path = case.annotation
            if path is None:
                raise UsageError(f"{case_id} has no annotation any more.")
            inner, geometry = read_annotation(
                path, self.dataset, self.task, case_id=case_id
            )
            arrays = [open_outputs(of_case[case_id]) for of_case in files]
            if crf is not None:
                image = read_image(case, self.dataset, lazily=True)
                arrays = [refined(arrays, image.array, geometry.spacing, crf)]
            return score(arrays, inner, geometry.spacing)

        map_cases(
            one,
            self.ids,
            stage="find_best",
            workers=self.workers,
            done=found.__setitem__,
        )
        return found
