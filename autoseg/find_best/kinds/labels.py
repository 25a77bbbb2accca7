"""Label maps: averages of outputs, and rules for what each voxel becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autoseg.errors import UsageError
from autoseg.find_best.candidates import Candidate
from autoseg.find_best.kinds import FIND_BEST_KINDS
from autoseg.find_best.kinds.base import FindBestKind, Last, Pair
from autoseg.find_best.outputs import at_hand
from autoseg.find_best.search import Outputs, Search
from autoseg.find_best.step import Step
from autoseg.find_best.table import Table, gain_of
from autoseg.find_best.tuning import (
    choose_field,
    choose_rule,
    combinations,
    fields_to_try,
    rules_to_try,
    score_case,
)
from autoseg.metrics.calibration import Calibration, Evidence, together
from autoseg.model.dense_crf import DenseCrf
from autoseg.model.postprocessing import Postprocessing, Rule
from autoseg.predict.readouts.ensemble import averaged, decide
from autoseg.spec.annotation import LabelMap
from autoseg.train.after.calibration import Sampler

Rules = Mapping[str, Sequence[Rule]]
Scores = dict[str, Any]
PLAIN_ONLY = (Rule(),)


@FIND_BEST_KINDS.register
class LabelsBest(FindBestKind):
    """Averages and post-processing of what is decided voxel by voxel."""

    def __init__(self, search: Search) -> None:
        super().__init__(search)
        known = bool(self.task.classes) and all(
            map(self.task.members, self.task.classes)
        )
        self.has_rules = known and self.task.pointwise is not None

    def averages(self, pairs: Sequence[Pair]) -> list[tuple[Pair, Table]]:
        """Score averaged outputs, looking once at each configuration."""
        if not (pairs and self.has_rules):
            return []
        every = self.search.candidates
        members = [c for c in every if any(c in pair for pair in pairs)]
        rules = dict.fromkeys(self.search.classes, PLAIN_ONLY)

        def score(arrays: Outputs, reference: Any, spacing: Any) -> list[Scores]:
            held = dict(zip(map(id, members), map(at_hand, arrays), strict=True))
            chosen = [[held[id(member)] for member in pair] for pair in pairs]
            return [self._score(some, reference, spacing, rules) for some in chosen]

        looked = self.search.read(members, score)
        return [
            (pair, self._table({case: found[n] for case, found in looked.items()}))
            for n, pair in enumerate(pairs)
        ]

    def last_steps(self, members: Sequence[Candidate], table: Table) -> Last:
        if not self.has_rules:
            return super().last_steps(members, table)
        crf, fields = self._field(members, table) if self.search.crf else (None, [])
        rules, tried = self._tune(members, crf)
        steps = [*fields, *tried]
        if rules != Postprocessing():
            finished = self._finish(members, rules)
            if gain_of(table, finished).is_sure:
                return Last(table=finished, rules=rules, steps=steps)
        return Last(table=table, steps=steps)  # together they do not gain

    def calibrated(self, members: Sequence[Candidate]) -> Calibration | None:
        if not self.has_rules:
            return None

        def look(arrays: Outputs, reference: Any, spacing: Any) -> Evidence:
            unknown = reference.unknown if isinstance(reference, LabelMap) else ()
            sampler = Sampler(self.task, unknown)
            if not sampler.useful:
                return Evidence()
            truth = np.asarray(reference)
            for rows, mean in averaged(arrays):
                sampler.look(mean, truth[rows])
            return sampler.sample().evidence(sampler.head)

        return together(self.search.read(members, look).values()).calibration()

    def _field(
        self, members: Sequence[Candidate], table: Table
    ) -> tuple[DenseCrf | None, list[Step]]:
        """Choose a dense conditional random field, or none."""
        if self.task.pointwise is None or self.task.pointwise.painted is not None:
            raise UsageError(
                "--crf: a dense conditional random field is for classes of which each "
                "voxel has one; regions lie on each other. Leave --crf out."
            )
        classes = self.search.classes
        fields = fields_to_try(len(self.search.fingerprint.spacings[0]))
        plain = dict.fromkeys(classes, PLAIN_ONLY)
        tables = [table]
        for crf in fields:
            found = self._read(
                members,
                lambda arrays, reference, spacing: self._score(
                    arrays, reference, spacing, plain
                ),
                crf,
            )
            tables.append(self._table(found))
        folds = [members[0].fold_of[case] for case in self.search.ids]
        place, step = choose_field(fields, tables, folds)
        return (fields[place - 1] if step.kept else None), [step]

    def _read(
        self, members: Sequence[Candidate], score: Any, crf: DenseCrf | None
    ) -> dict[str, Any]:
        more = {} if crf is None else {"crf": crf}
        return self.search.read(members, score, **more)

    def _tune(
        self, members: Sequence[Candidate], crf: DenseCrf | None
    ) -> tuple[Postprocessing, list[Step]]:
        """Choose post-processing for a configuration or an average."""
        classes = self.search.classes
        measured = self.search.fingerprint.annotation.get("classes", {})
        steps = {
            name: rules_to_try(measured.get(name, {}).get("median_object_size"))
            for name in classes
        }
        rules = {name: combinations(steps[name]) for name in classes}
        tables = self._look(members, rules, crf)
        folds = [members[0].fold_of[case] for case in self.search.ids]
        kept: dict[str, Rule] = {}
        tried: list[Step] = []
        for name in classes:
            columns = dict(zip(rules[name], tables[name].T, strict=True))
            rule, of_class = choose_rule(name, steps[name], columns, folds)
            tried += of_class
            if rule != Rule():
                kept[name] = rule
        return Postprocessing(classes=kept, crf=crf), tried

    def _look(
        self, members: Sequence[Candidate], rules: Rules, crf: DenseCrf | None
    ) -> dict[str, Table]:
        """Score rules on the averaged outputs of all cases: (cases, rules) by class."""
        found = self._read(
            members,
            lambda arrays, reference, spacing: self._score(
                arrays, reference, spacing, rules
            ),
            crf,
        )
        return {
            name: np.array([found[case][name] for case in self.search.ids])
            for name in rules
        }

    def _finish(self, members: Sequence[Candidate], rules: Postprocessing) -> Table:
        """Score predictions as the bundle will make them, all classes together."""

        def score(arrays: Outputs, reference: Any, spacing: Any) -> Scores:
            labels = decide(arrays, self.task, rules.thresholds)
            labels = rules.finish(labels, self.task, spacing)
            return self.task.score(labels, reference, spacing)

        return self.search.table(self._read(members, score, rules.crf))

    def _score(
        self, arrays: Outputs, reference: Any, spacing: Any, rules: Rules
    ) -> Scores:
        by, worst = self.search.by, self.search.worst
        return score_case(arrays, reference, spacing, self.task, rules, by, worst)

    def _table(self, found: Mapping[str, Scores]) -> Table:
        """Return the goodness under the first rule: (cases, classes)."""
        ids, classes = self.search.ids, self.search.classes
        rows = [[found[case][name][0] for name in classes] for case in ids]
        return np.array(rows, dtype=np.float64).reshape(len(ids), len(classes))
