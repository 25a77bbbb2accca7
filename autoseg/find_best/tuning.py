"""Choose post-processing from one pass over the outputs of the cases.

The pass scores every class of every case with every combination of rules, each result
that differs from the others once. What follows is arithmetic on that table. A rule is
judged by cases that had no say in choosing it: its parameter is chosen on the other
folds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.find_best.scoring import score_mask
from autoseg.find_best.step import Step
from autoseg.find_best.table import Table, gain_of, mean_of
from autoseg.model.dense_crf import DenseCrf
from autoseg.model.postprocessing import (
    PLAIN,
    Rule,
    box_of,
    chosen,
    components,
    filled,
    members_of,
)
from autoseg.predict.readouts.ensemble import decide
from autoseg.spec.annotation import LabelMap

THRESHOLDS = (0.3, 0.4, 0.6, 0.7)
ALIKE, CONTRASTS = (1.0, 4.0), (0.2, 0.6)  # of dense conditional random fields
REACH = {2: 5, 3: 2}  # of their windows, by the number of axes
SIZE_SHARES = (0.01, 0.03, 0.1, 0.3)  # of the median object, as minimum sizes

Column = NDArray[np.float64]  # (cases,) of goodness


def rules_to_try(median_size: float | None) -> dict[str, list[Rule]]:
    """Return the alternatives of each step, by its name.

    Parameters
    ----------
    median_size : float or None
        Volume of the median object of a class, from the fingerprint.

    Returns
    -------
    dict of str to list of Rule
        Rules that differ from the plain one in one thing.
    """
    sizes = [share * median_size for share in SIZE_SHARES] if median_size else []
    return {
        "threshold": [Rule(threshold=value) for value in THRESHOLDS],
        "fill holes": [Rule(fill_holes=True)],
        "components": [
            Rule(largest_component=True),
            *(Rule(minimum_size=float(f"{size:.3g}")) for size in sizes),
        ],
    }


def join(first: Rule, second: Rule) -> Rule:
    """Return a rule with everything in which the second differs from doing nothing."""
    plain = Rule()
    changes = {
        name: value
        for name, value in vars(second).items()
        if value != getattr(plain, name)
    }
    return replace(first, **changes)


def combinations(steps: Mapping[str, Sequence[Rule]]) -> list[Rule]:
    """Return every rule that takes one alternative, or none, of each step."""
    found = [Rule()]
    for alternatives in steps.values():
        found = [join(rule, one) for rule in found for one in (Rule(), *alternatives)]
    return found


def score_case(
    arrays: Sequence[Any],
    reference: Any,
    spacing: tuple[float, ...],
    task: Any,
    rules: Mapping[str, Sequence[Rule]],
    by: str,
    worst: float,
) -> dict[str, list[float]]:
    """Score every rule of every class on one case.

    Parameters
    ----------
    arrays : sequence of array of uint8, shape (K, *S)
        Outputs of the models that are averaged.
    reference : ndarray of int, shape S, or LabelMap
        Inner annotation.
    spacing : tuple of float, length D
        Edge of a voxel.
    task : Task
        Of label maps.
    rules : mapping of str to sequence of Rule
        By class.
    by : str
        The measure.
    worst : float
        What an infinite distance counts as.

    Returns
    -------
    dict of str to list of float
        Goodness, by class, in the order of its rules; NaN of a class that the
        annotation does not speak of.
    """
    found: dict[str, list[float]] = {
        name: [math.nan] * len(r) for name, r in rules.items()
    }
    thresholds = sorted({rule.threshold for some in rules.values() for rule in some})
    unknown = reference.unknown if isinstance(reference, LabelMap) else ()
    truth = np.asarray(reference)
    for threshold in thresholds:
        every = {} if threshold == PLAIN else dict.fromkeys(rules, threshold)
        labels = decide(arrays, task, every)
        for name, some in rules.items():
            if name in unknown:
                continue  # nobody knows
            scorer = _ClassScorer(labels, truth, spacing, task, name, by, worst)
            for place, rule in enumerate(some):
                if rule.threshold == threshold:
                    found[name][place] = scorer(rule)
    return found


class _ClassScorer:
    """Scores rules of one class at one threshold; equal results are scored once."""

    def __init__(
        self,
        labels: NDArray[Any],
        reference: NDArray[Any],
        spacing: tuple[float, ...],
        task: Any,
        name: str,
        by: str,
        worst: float,
    ) -> None:
        members = members_of(task, name)
        predicted, truth = np.isin(labels, members), np.isin(reference, members)
        box = box_of(predicted | truth) or (slice(0, 0),) * labels.ndim
        self._predicted, self._truth = predicted[box], truth[box]
        self._background = labels[box] == 0
        ignore = task.ignore_index
        self._counted = None if ignore is None else reference[box] != ignore
        self._spacing, self._by, self._worst = spacing, by, worst
        self._parts: dict[bool, tuple[NDArray[Any], NDArray[np.int64]]] = {}
        self._known: dict[tuple[bool, tuple[int, ...]], float] = {}

    def __call__(self, rule: Rule) -> float:
        numbers, sizes = self._components(rule.fill_holes)
        stay = chosen(sizes, rule, math.prod(self._spacing))
        key = rule.fill_holes, stay
        if key not in self._known:
            table = np.zeros(len(sizes) + 1, dtype=bool)
            table[list(stay)] = True
            self._known[key] = score_mask(
                table[numbers],
                self._truth,
                self._spacing,
                self._counted,
                self._by,
                self._worst,
            )
        return self._known[key]

    def _components(self, fill: bool) -> tuple[NDArray[Any], NDArray[np.int64]]:
        if fill not in self._parts:
            mask = self._predicted
            if fill:
                holes = filled(mask) & ~mask & self._background
                if not holes.any():
                    self._parts[True] = self._components(False)
                    return self._parts[True]
                mask = mask | holes
            self._parts[fill] = components(mask)
        return self._parts[fill]


def choose_rule(
    name: str,
    steps: Mapping[str, Sequence[Rule]],
    columns: Mapping[Rule, Column],
    folds: Sequence[str],
) -> tuple[Rule, list[Step]]:
    """Choose the rule of one class, step by step.

    Parameters
    ----------
    name : str
        The class.
    steps : mapping of str to sequence of Rule
        Alternatives of each step; see `rules_to_try`.
    columns : mapping of Rule to ndarray of float, shape (cases,)
        Goodness of every combination of the alternatives.
    folds : sequence of str
        Which fold each case was held back from.

    Returns
    -------
    rule : Rule
        With what gains surely.
    tried : list of Step
        All of it.
    """
    rule, tried = Rule(), []
    places = {fold: np.array([f == fold for f in folds]) for fold in set(folds)}
    for step, alternatives in steps.items():
        options = [rule, *(join(rule, one) for one in alternatives)]
        values = [columns[option] for option in options]
        before, after = values[0], values[0].copy()
        for here in places.values():
            others = [_mean(column[~here]) for column in values]
            after[here] = values[int(np.argmax(others))][here]
        gain = gain_of(before[:, None], after[:, None])
        best = int(np.argmax([_mean(column) for column in values]))
        kept = gain.is_sure and best > 0
        if len(options) > 1:
            shown = describe(alternatives[best - 1]) if best else "none"
            tried.append(Step(name=step, of=name, value=shown, gain=gain, kept=kept))
        if kept:
            rule = options[best]
    return rule, tried


def fields_to_try(dim: int) -> list[DenseCrf]:
    """Return dense conditional random fields for a number of axes.

    Windows of volumes are narrower, since their cost grows with the cube.
    """
    reach = REACH[dim]
    return [
        DenseCrf(alike=alike, contrast=contrast, reach=reach)
        for alike in ALIKE
        for contrast in CONTRASTS
    ]


def choose_field(
    fields: Sequence[DenseCrf], tables: Sequence[Table], folds: Sequence[str]
) -> tuple[int, Step]:
    """Choose a field by the mean over classes.

    Parameters
    ----------
    fields : sequence of DenseCrf
        What is chosen from.
    tables : sequence of ndarray of float, shape (cases, classes)
        Goodness without a field, then with each.
    folds : sequence of str
        Which fold each case was held back from.

    Returns
    -------
    place : int
        Of the best of the tables, 0 for none.
    step : Step
        Its gain, by fields that were chosen on other folds.
    """
    after = tables[0].copy()
    for fold in set(folds):
        here = np.array([f == fold for f in folds])
        others = [_mean_of(table[~here]) for table in tables]
        after[here] = tables[int(np.argmax(others))][here]
    gain = gain_of(tables[0], after)
    best = int(np.argmax([_mean_of(table) for table in tables]))
    shown = "none"
    if best:
        field = fields[best - 1]
        shown = f"weight {field.alike:g}, contrast {field.contrast:g}"
    kept = gain.is_sure and best > 0
    return best, Step(name="dense CRF", of="all", value=shown, gain=gain, kept=kept)


def _mean_of(table: Table) -> float:
    mean = mean_of(table) if len(table) else math.nan
    return -math.inf if math.isnan(mean) else mean


def _mean(values: Column) -> float:
    return _mean_of(values[:, None])


def describe(rule: Rule) -> str:
    """Return in a few words what a rule does.

    Examples
    --------
    >>> describe(Rule(threshold=0.4, largest_component=True))
    'threshold 0.4, largest component'
    """
    words = []
    if rule.threshold != PLAIN:
        words.append(f"threshold {rule.threshold:g}")
    if rule.fill_holes:
        words.append("holes filled")
    if rule.minimum_size:
        words.append(f"at least {rule.minimum_size:g}")
    if rule.largest_component:
        words.append("largest component")
    return ", ".join(words) or "nothing"
