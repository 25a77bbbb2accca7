"""Choose what predicts best by cross-validation, and write it as one bundle.

Scores of single configurations are those of training's validation. Averages of pairs
and post-processing look once at the outputs of the cases, which are predicted as far as
they are not there. Everything else is arithmetic on tables with a row for each case.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.datasets.annotations import read_annotation
from autoseg.datasets.read import open_dataset
from autoseg.errors import UsageError
from autoseg.evaluate.measures import main_measure, measure_of, spelled
from autoseg.find_best.candidates import Candidate, find_candidates
from autoseg.find_best.decoding import Pooled, tune_decoding
from autoseg.find_best.outputs import at_hand, ensure_outputs
from autoseg.find_best.points import average_points, can_average, learnt_alone, spoken
from autoseg.find_best.selection import Scored, Selection
from autoseg.find_best.table import (
    Table,
    gain_of,
    mean_interval,
    mean_of,
    table_of,
    worst_distance,
)
from autoseg.find_best.tuning import (
    Step,
    choose_rule,
    combinations,
    rules_to_try,
    score_case,
    task_has_rules,
)
from autoseg.model.bundle import write_bundle
from autoseg.model.confidence import Learnt
from autoseg.model.decoding import Decoding
from autoseg.model.load import load_model
from autoseg.model.model import Model
from autoseg.model.postprocessing import Postprocessing, Rule
from autoseg.outputs import refuse_foreign
from autoseg.parallel import map_cases
from autoseg.predict.readouts.ensemble import decide, open_outputs
from autoseg.spec.dataset import Dataset
from autoseg.spec.fingerprint import Fingerprint
from autoseg.tasks import TASKS
from autoseg.tasks.base import Task
from autoseg.tasks.landmark import LandmarkTask
from autoseg.workspace import Workspace

logger = logging.getLogger(__name__)

Rules = Mapping[str, Sequence[Rule]]
Outputs = Sequence[Any]
Scores = dict[str, Any]
PLAIN_ONLY = (Rule(),)


def find_best(
    dataset: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    by: str | None = None,
    ensembles: bool = True,
    postprocessing: bool = True,
    device: str = "auto",
    workers: int | None = None,
    output: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    license: str = "not stated",
) -> tuple[Path, Selection]:
    """Choose among everything that was trained on a data set, and write a bundle.

    Parameters
    ----------
    dataset : str or path
        A folder, or the name or number of a data set in ``ROOT/raw``.
    root : str or path, optional
        ROOT.
    by : str, optional
        The measure, such as ``"dice"``, ``"nsd"`` or ``"hd95"``; by default the task's
        first.
    ensembles : bool
        Try averages of two configurations, too.
    postprocessing : bool
        Try thresholds, filled holes and removed components, too; of instances, other
        parameters of decoding.
    device : str
        Where outputs are predicted.
    workers : int, optional
        Cases scored at a time.
    output : path, optional
        The bundle; by default ``ROOT/results/DATASET/best/model.zip``.
    overwrite : bool
        Replace also files that autoseg did not write.
    license : str
        Under which terms others may use the weights; stands in the bundle's card.

    Returns
    -------
    path : Path
        The bundle.
    selection : Selection
        What is in it and why.

    Raises
    ------
    UsageError
        If nothing can be compared, or a file of the user's would be replaced.
    CaseErrors
        If cases could not be predicted or scored.
    """
    described, workspace = open_dataset(dataset, root)
    path = Path(output) if output is not None else workspace.best
    refuse_foreign([path, path.with_suffix(".json")], overwrite=overwrite)
    candidates, left_out = find_candidates(workspace, described)
    for line in left_out:
        logger.warning("Left out:%s", line.replace("\n", "\n "))
    search = _Search.begin(workspace, described, candidates, by, device, workers)
    singles = [search.table(one) for one in candidates]
    models = [
        _scored(c.name, t, search) for c, t in zip(candidates, singles, strict=True)
    ]
    best = int(np.argmax([mean_of(table) for table in singles]))
    members, table = [candidates[best]], singles[best]
    if ensembles:
        found = search.pairs(table)
        models += [scored for scored, _, _ in found]
        sure = [f for f in found if f[0].gain is not None and f[0].gain.is_sure]
        if sure:
            _, members, table = max(sure, key=lambda f: mean_of(f[2]))
    last = search.last_steps(members, table) if postprocessing else _Last(table=table)
    name = " + ".join(member.name for member in members)
    learnt = search.learnt(members)
    selection = Selection(
        dataset=described.name,
        by=search.by,
        unit=search.fingerprint.unit,
        cases=len(search.ids),
        chosen=name,
        models=tuple(models),
        steps=tuple(last.steps),
        postprocessing=last.rules,
        final=_scored(name, last.table, search),
        left_out=tuple(line.strip() for line in left_out),
        bundle=path.name,
        confidence=spoken(learnt, search.fingerprint.unit),
        decoding=last.decoding,
    )
    model = _model_of(members, last.rules, learnt)
    said = {"license": license, "notes": selection.markdown()}
    write_bundle(model, path, **said, overwrite=overwrite)
    selection.save(path.with_suffix(".json"))
    return path, selection


@dataclass(frozen=True, kw_only=True)
class _Last:
    """What is done after the networks, and the scores with it."""

    table: Table
    rules: Postprocessing = Postprocessing()
    steps: Sequence[Step] = ()
    decoding: Decoding | None = None


@dataclass(frozen=True, kw_only=True)
class _Search:
    """What all comparisons have in common."""

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
    files: dict[str, dict[str, Path]] = field(default_factory=dict)  # outputs, by name

    @classmethod
    def begin(
        cls,
        workspace: Workspace,
        dataset: Dataset,
        candidates: Sequence[Candidate],
        by: str | None,
        device: str,
        workers: int | None,
    ) -> _Search:
        choice = candidates[0].task
        first = candidates[0].cases
        measures = {m for case in first.values() for s in case.values() for m in s}
        by = spelled(by, measures) if by else main_measure(measures)
        if by not in measures:
            raise UsageError(
                f"nothing was scored by {by!r}. There is: "
                f"{', '.join(sorted(measures))}."
            )
        return cls(
            workspace=workspace,
            dataset=dataset,
            candidates=candidates,
            fingerprint=Fingerprint.load(workspace.fingerprint),
            task=TASKS[choice.name](**choice.options),
            by=by,
            ids=sorted(first),
            classes=list(dict.fromkeys(c for case in first.values() for c in case)),
            device=device,
            workers=workers,
        )

    @property
    def worst(self) -> float:
        return worst_distance(self.fingerprint)

    def table(self, candidate: Candidate) -> Table:
        """Return the scores of a single configuration, from its summaries."""
        cases = candidate.cases
        return table_of(cases, self.ids, self.classes, self.by, self.worst)

    def pairs(self, single: Table) -> list[tuple[Scored, list[Candidate], Table]]:
        """Score the average of every two configurations that learned the same."""
        pairs = [
            [one, other]
            for one, other in itertools.combinations(self.candidates, 2)
            if one.task == other.task and one.plan.dim == other.plan.dim
        ]
        if task_has_rules(self.task) and pairs:
            tables = self.averages(pairs)
        elif isinstance(self.task, LandmarkTask):
            pairs = [pair for pair in pairs if can_average(pair)]
            scores = [average_points(p, self.dataset, self.task)[0] for p in pairs]
            rest = self.ids, self.classes, self.by, self.worst
            tables = [table_of(cases, *rest) for cases in scores]
        else:
            return []
        found = []
        for pair, table in zip(pairs, tables, strict=True):
            scored = _scored(" + ".join(one.name for one in pair), table, self)
            scored = replace(scored, gain=gain_of(single, table))
            found.append((scored, pair, table))
        return found

    def averages(self, pairs: Sequence[Sequence[Candidate]]) -> list[Table]:
        """Score averaged outputs of label maps, looking once at each configuration."""
        members = [c for c in self.candidates if any(c in pair for pair in pairs)]
        rules = dict.fromkeys(self.classes, PLAIN_ONLY)

        def score(arrays: Outputs, reference: Any, spacing: Any) -> list[Scores]:
            where = spacing, self.task
            held = dict(zip(map(id, members), map(at_hand, arrays), strict=True))
            return [
                score_case([held[id(member)] for member in pair], reference, *where,
                           rules, self.by, self.worst)
                for pair in pairs
            ]  # fmt: skip

        looked = self.read(members, score)
        shape = len(pairs), len(self.ids), len(self.classes)
        rows = [
            [
                looked[case][number][name][0]
                for case in self.ids
                for name in self.classes
            ]
            for number in range(len(pairs))
        ]
        return list(np.array(rows, dtype=np.float64).reshape(shape))

    def learnt(self, members: Sequence[Candidate]) -> Learnt | None:
        """Return how far to trust landmarks, by the validations of all folds."""
        if len(members) > 1 and isinstance(self.task, LandmarkTask):
            return average_points(members, self.dataset, self.task)[1]
        return learnt_alone(members[0])

    def look(self, members: Sequence[Candidate], rules: Rules) -> dict[str, Table]:
        """Score rules on the averaged outputs of all cases: (cases, rules) by class."""

        def score(arrays: Outputs, reference: Any, spacing: Any) -> Scores:
            where = spacing, self.task
            return score_case(arrays, reference, *where, rules, self.by, self.worst)

        found = self.read(members, score)
        return {
            name: np.array([found[case][name] for case in self.ids]) for name in rules
        }

    def finish(self, members: Sequence[Candidate], rules: Postprocessing) -> Table:
        """Score predictions as the bundle will make them, all classes together."""

        def score(arrays: Outputs, reference: Any, spacing: Any) -> Scores:
            labels = decide(arrays, self.task, rules.thresholds)
            labels = rules.finish(labels, self.task, spacing)
            return self.task.score(labels, reference, spacing)

        found = self.read(members, score)
        return table_of(found, self.ids, self.classes, self.by, self.worst)

    def read(
        self,
        members: Sequence[Candidate],
        score: Callable[[Outputs, Any, Any], Any],
    ) -> dict[str, Any]:
        """Return what a function makes of outputs, annotation and spacing, by case."""
        where = self.workspace, self.dataset, self.device
        for member in members:
            if member.name not in self.files:
                self.files[member.name] = ensure_outputs(member, *where)
        files = [self.files[member.name] for member in members]
        found: dict[str, Any] = {}

        def one(case_id: str) -> Any:
            path = self.dataset.case(case_id).annotation
            if path is None:
                raise UsageError(f"{case_id} has no annotation any more.")
            inner, geometry = read_annotation(
                path, self.dataset, self.task, case_id=case_id
            )
            arrays = [open_outputs(of_case[case_id]) for of_case in files]
            return score(arrays, np.asarray(inner), geometry.spacing)

        map_cases(
            one,
            self.ids,
            stage="find_best",
            workers=self.workers,
            done=found.__setitem__,
        )
        return found

    def last_steps(self, members: Sequence[Candidate], table: Table) -> _Last:
        """Choose post-processing, of instances the parameters of decoding."""
        if task_has_rules(self.task):
            rules, steps = self.tune(members)
            if rules.classes:
                finished = self.finish(members, rules)
                if gain_of(table, finished).is_sure:
                    return _Last(table=finished, rules=rules, steps=steps)
            return _Last(table=table, steps=steps)  # together they do not gain
        if not self.task.tunable:
            return _Last(table=table)
        where = self.workspace, self.dataset, self.device, self.workers
        pooled = Pooled(members[0], *where)
        ids, classes = list(self.ids), list(self.classes)
        tuned = tune_decoding(pooled, ids, classes, self.by, self.worst)
        return _Last(
            table=tuned.table,
            rules=tuned.postprocessing,
            steps=[tuned.step],
            decoding=tuned.decoding,
        )

    def tune(self, members: Sequence[Candidate]) -> tuple[Postprocessing, list[Step]]:
        """Choose post-processing for a configuration or an average."""
        measured = self.fingerprint.annotation.get("classes", {})
        steps = {
            name: rules_to_try(measured.get(name, {}).get("median_object_size"))
            for name in self.classes
        }
        rules = {name: combinations(steps[name]) for name in self.classes}
        tables = self.look(members, rules)
        folds = [members[0].fold_of[case] for case in self.ids]
        kept: dict[str, Rule] = {}
        tried: list[Step] = []
        for name in self.classes:
            columns = dict(zip(rules[name], tables[name].T, strict=True))
            rule, of_class = choose_rule(name, steps[name], columns, folds)
            tried += of_class
            if rule != Rule():
                kept[name] = rule
        return Postprocessing(classes=kept), tried


def _scored(name: str, table: Table, search: _Search) -> Scored:
    higher = measure_of(search.by).better == "higher"
    sign = 1.0 if higher else -1.0
    low, high = sorted(sign * end for end in mean_interval(table))
    return Scored(name=name, mean=sign * mean_of(table), low=low, high=high)


def _model_of(
    members: Sequence[Candidate], rules: Postprocessing, learnt: Learnt | None
) -> Model:
    folds = sorted(set(members[0].fold_of.values()), key=int)
    first, *others = [load_model(member.folder, folds=folds) for member in members]
    model = replace(first, partners=tuple(others), postprocessing=rules)
    return replace(model, confidence=learnt.confidence) if learnt and others else model
