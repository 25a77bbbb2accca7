"""Instances: how outputs are decoded is tuned on the cases of all folds together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.datasets.annotations import read_annotation
from autoseg.errors import UsageError
from autoseg.find_best.candidates import Candidate
from autoseg.find_best.kinds import FIND_BEST_KINDS
from autoseg.find_best.kinds.base import FindBestKind, Last
from autoseg.find_best.step import Step
from autoseg.find_best.table import Table, gain_of, table_of
from autoseg.model.decoding import Decoding
from autoseg.model.load import load_model
from autoseg.model.postprocessing import Postprocessing
from autoseg.parallel import map_cases
from autoseg.predict.cases import prediction_ending
from autoseg.predict.job import Job
from autoseg.predict.options import Options
from autoseg.predict.readouts.kept import KeptOutputs
from autoseg.spec.dataset import Dataset
from autoseg.tasks.instance import InstanceTask
from autoseg.train.after.kinds.decoding import keep_outputs, read_samples, task_of
from autoseg.train.after.kinds.tuning import cases_to_tune, tune
from autoseg.workspace import CHECKPOINT_FINAL, VALIDATION, Workspace

logger = logging.getLogger(__name__)

Parameters = Mapping[str, Any]


@FIND_BEST_KINDS.register
class InstancesBest(FindBestKind):
    """Parameters of decoding in place of rules; averages of outputs are not tried."""

    def last_steps(self, members: Sequence[Candidate], table: Table) -> Last:
        if not self.task.tunable:
            return super().last_steps(members, table)
        search = self.search
        where = search.workspace, search.dataset, search.device, search.workers
        pooled = Pooled(members[0], *where)
        ids, classes = list(search.ids), list(search.classes)
        return tune_decoding(pooled, ids, classes, search.by, search.worst)


class Pooled:
    """Outputs for the cases of all folds, each by the fold that did not know it.

    Parameters
    ----------
    candidate : Candidate
        A configuration with all its folds.
    workspace : Workspace
        Of the data set.
    dataset : Dataset
        With its training cases.
    device : str
        Where outputs are predicted that are not there.
    workers : int, optional
        Cases scored at a time.
    """

    def __init__(
        self,
        candidate: Candidate,
        workspace: Workspace,
        dataset: Dataset,
        device: str = "auto",
        workers: int | None = None,
    ) -> None:
        self.candidate, self.dataset, self.workers = candidate, dataset, workers
        trained, of = candidate.trained, candidate.fold_of
        folds = sorted(set(of.values()), key=int)
        self.cases = {fold: [c for c, f in of.items() if f == fold] for fold in folds}
        place = workspace.kept_outputs(trained.plan, trained.configuration)
        first = load_model(candidate.folder, folds=folds[:1])
        self.task: InstanceTask = task_of(first)
        self.kept = KeptOutputs(place, self.task)
        before = candidate.plan.configuration(candidate.configuration).previous
        for fold, cases in self.cases.items():
            logger.info("%s, fold %s: outputs of its cases", candidate.name, fold)
            model = load_model(candidate.folder, folds=[fold])
            ending = {c: prediction_ending(dataset.case(c), model) for c in cases}
            jobs = [
                Job(case=dataset.case(c), output=place / f"{c}{ending[c]}")
                for c in cases
            ]
            checkpoint = candidate.folder / f"fold_{fold}" / CHECKPOINT_FINAL
            previous = None
            if before is not None:
                stage = workspace.fold(trained.plan, before, fold)
                previous = stage / VALIDATION
            how = Options(device=device)
            keep_outputs(self.kept, model, jobs, checkpoint, how, previous)

    def tune(self) -> Decoding:
        """Search on at most fifty cases of each fold."""
        samples = {}
        parts = []
        for cases in self.cases.values():
            chosen = cases_to_tune(cases)
            samples.update(read_samples(self.kept, self.dataset, self.task, chosen))
            parts.append(chosen)
        return tune(self.task, samples, parts, workers=self.workers)

    def scores(self, parameters_of: Mapping[str, Parameters]) -> dict[str, Any]:
        """Return the scores of each case, decoded with its parameters."""
        found: dict[str, Any] = {}

        def score(case_id: str) -> Any:
            path = self.dataset.case(case_id).annotation
            if path is None:
                raise UsageError(f"{case_id} has no annotation any more.")
            inner, geometry = read_annotation(
                path, self.dataset, self.task, case_id=case_id
            )
            task = self.task.with_parameters(parameters_of[case_id])
            decoded, _ = self.kept.decode(case_id, task)
            return self.task.score(decoded, inner, geometry.spacing)

        map_cases(
            score,
            sorted(parameters_of),
            stage="find_best",
            workers=self.workers,
            done=found.__setitem__,
        )
        return found


def tune_decoding(
    pooled: Pooled, ids: list[str], classes: list[str], by: str, worst: float
) -> Last:
    """Choose parameters of decoding for a configuration.

    Parameters
    ----------
    pooled : Pooled
        Its outputs.
    ids : list of str
        Cases, rows of the table.
    classes : list of str
        Its columns.
    by : str
        The measure that a gain is stated in.
    worst : float
        What an infinite distance counts as.

    Returns
    -------
    Last
        With the plan's parameters, if no gain is sure.
    """
    decoding = pooled.tune()
    logger.info("%s:\n%s", pooled.candidate.name, decoding.text())
    fold_of = pooled.candidate.fold_of
    by_fold = {
        fold: part.parameters
        for fold, part in zip(pooled.cases, decoding.parts, strict=True)
    }

    def table(parameters_of: Mapping[str, Parameters]) -> Table:
        return table_of(pooled.scores(parameters_of), ids, classes, by, worst)

    before = table(dict.fromkeys(ids, decoding.defaults))
    after = before
    if decoding.kept:
        after = table({case: by_fold[fold_of[case]] for case in ids})
    gain = gain_of(before, after)
    kept = decoding.kept and gain.is_sure
    step = Step(
        name="decoding",
        of="all objects",
        value=_changes(decoding),
        gain=gain,
        kept=kept,
    )
    if not kept:
        return Last(table=before, steps=[step], decoding=decoding)
    return Last(
        table=table(dict.fromkeys(ids, decoding.best)),
        rules=Postprocessing(task=pooled.task.tuned(decoding.best)),
        steps=[step],
        decoding=decoding,
    )


def _changes(decoding: Decoding) -> str:
    """Return in a few words which parameters are other than the defaults."""
    changed = [
        f"{name} {value:g}"
        for name, value in decoding.best.items()
        if value != decoding.defaults[name]
    ]
    return ", ".join(changed) or "none"
