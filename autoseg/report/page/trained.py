"""What a report says of everything that was trained: speed, scores and failures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.errors import amount, some_of
from autoseg.evaluate.aggregate import Statistic, metric_names
from autoseg.evaluate.measures import (
    badness,
    main_measure,
    mean_over_classes,
    measure_of,
)
from autoseg.evaluate.summary import Summary
from autoseg.model.decoding import MEASURE, Decoding
from autoseg.spec.dataset import Dataset
from autoseg.spec.json import to_json
from autoseg.train.after.results import Fold, Trained, scores_of
from autoseg.train.setup.changed import changed_folds, changed_meaning
from autoseg.workspace import Workspace

SLOW_LOADER = 0.2  # of the time: more waiting than this is worth a word
BAD = 0.1  # a class that is found no better is as good as missed
FAR = 0.1  # of the normalizing length: a point that is farther off is another place


def describe_fold(fold: Fold) -> dict[str, Any]:
    """Return how a training went: length, speed, waiting, last losses, scores."""
    last = fold.log[-1] if fold.log else {}
    logged = [entry for entry in fold.log if "waiting_for_loader" in entry]
    waiting = [float(entry["waiting_for_loader"]) for entry in logged]
    measure = main_measure(metric_names(fold.summary.cases)) if fold.summary else None
    return {
        "fold": fold.name,
        "finished": fold.finished,
        "held_out": fold.held_out,
        "progress": last.get("progress"),
        "iterations": last.get("iteration"),
        "seconds": last.get("seconds"),
        "seconds_per_iteration": last.get("seconds_per_iteration"),
        "waiting_for_loader": sum(waiting) / len(waiting) if waiting else None,
        "recipe": fold.run.get("recipe", {}).get("name"),
        "device": fold.run.get("device"),
        "training_cases": fold.run.get("training_cases"),
        "validation_cases": fold.run.get("validation_cases"),
        "overrides": fold.run.get("overrides", {}),
        "measure": measure,
        "scores": None if fold.summary is None else describe_scores(fold.summary),
        "decoding": describe_decoding(fold.decoding),
    }


def describe_decoding(found: Decoding | None) -> dict[str, Any] | None:
    """Return which parameters of decoding were tried, and what came of it."""
    if found is None:
        return None
    return {
        "decoder": found.decoder,
        "kept": found.kept,
        "verdict": found.verdict(),
        "measure": MEASURE,
        "before": found.before,
        "after": found.after,
        "held_out": found.held_out,
        "parameters": [
            {
                "name": name,
                "default": found.defaults[name],
                "best": found.best[name],
                "tried": [list(pair) for pair in tried],
            }
            for name, tried in found.tried.items()
        ],
    }


def describe_scores(summary: Summary) -> dict[str, Any]:
    """Return means and intervals of each class, and over all classes."""
    return {
        "cases": len(summary.cases),
        "unit": summary.unit,
        "foreground": _statistics(summary.foreground),
        "classes": {name: _statistics(of) for name, of in summary.classes.items()},
    }


def _statistics(found: Mapping[str, Statistic]) -> dict[str, Any]:
    return {measure: to_json(statistic) for measure, statistic in found.items()}


def describe_trained(trained: Trained, count: int | None = None) -> dict[str, Any]:
    """Return everything about one configuration that was trained.

    Parameters
    ----------
    trained : Trained
        With its folds.
    count : int, optional
        Folds of the cross-validation; default: nobody knows.

    Returns
    -------
    dict of str to JSON value
        ``folds``; ``not_begun``, other folds of the cross-validation; ``scores`` of all
        held-out cases together, each by the fold that had not seen it; ``cases``, a row
        for each case; ``measure``, which ranks them; ``quality``, how well predictions
        rank themselves by their uncertainty.
    """
    pooled = trained.pooled()
    measure = main_measure(metric_names(pooled.cases)) if pooled else None
    not_begun = _not_begun(trained, count)
    return {
        "name": trained.name,
        "plan": trained.plan,
        "configuration": trained.configuration,
        "folds": [describe_fold(fold) for fold in trained.folds],
        "not_begun": not_begun,
        "measure": measure,
        "scores": None if pooled is None else describe_scores(pooled),
        "cases": [] if pooled is None else _rows(trained, pooled, str(measure)),
        "failures": failures_of(trained, pooled, not_begun),
        "quality": trained.quality_correlation(),
    }


def _rows(trained: Trained, pooled: Summary, measure: str) -> list[dict[str, Any]]:
    """Return a row for each case, the best first."""
    rows: list[dict[str, Any]] = []
    for case, scores in pooled.cases.items():
        fold = trained.fold_of(case)
        rows.append(
            {
                "case": case,
                "fold": fold.name if fold else None,
                "mean": mean_over_classes(scores, measure),
                "classes": {name: dict(of) for name, of in scores.items()},
            }
        )
    return ranked(rows, measure)


def ranked(rows: Sequence[dict[str, Any]], measure: str) -> list[dict[str, Any]]:
    """Return rows from the best mean to the worst, those without one last."""

    def key(row: Mapping[str, Any]) -> tuple[bool, float, str]:
        value = badness(measure, row["mean"])
        known = not math.isnan(value)
        return not known, value if known else 0.0, row["case"]

    return sorted(rows, key=key)


def stale_folds(
    trained: Trained, dataset: Dataset, workspace: Workspace
) -> list[dict[str, str]]:
    """Return an entry of `failures_of` for each fold whose data changed since.

    Parameters
    ----------
    trained : Trained
        A configuration.
    dataset : Dataset
        As it is now.
    workspace : Workspace
        Of the data set.

    Returns
    -------
    list of dict of str to str
        Names the cases.
    """
    found = changed_folds(trained.folder, dataset, workspace)
    keys = changed_meaning(trained.folder, dataset)
    what = f"trained when dataset.json said other {', '.join(keys)}"
    other = [_failure("data changed", trained.name, what)] if keys else []
    return other + [
        _failure(
            "data changed",
            f"{trained.name}, fold {fold}",
            f"trained before {amount(len(cases), 'case')} changed: {some_of(cases)}",
        )
        for fold, cases in found.items()
    ]


def _not_begun(trained: Trained, count: int | None) -> list[str]:
    """Return the folds that are lacking of a cross-validation that was begun."""
    begun = {fold.name for fold in trained.folds if fold.held_out}
    if not begun or count is None:
        return []
    return [str(fold) for fold in range(count) if str(fold) not in begun]


def failures_of(
    trained: Trained, pooled: Summary | None, not_begun: Sequence[str] = ()
) -> list[dict[str, str]]:
    """Return what went wrong, the gravest first: each with kind, where and what.

    Parameters
    ----------
    trained : Trained
        A configuration.
    pooled : Summary or None
        Scores of its held-out cases.
    not_begun : sequence of str
        Folds of the cross-validation that are not there.

    Returns
    -------
    list of dict of str to str
        Keys ``kind``, ``where``, ``what``.
    """
    found = []
    if not_begun:
        where = f"{trained.name}, fold {', '.join(not_begun)}"
        what = "not begun: the scores are of some of the cases only"
        found.append(_failure("training", where, what))
    for fold in trained.folds:
        where = f"{trained.name}, fold {fold.name}"
        if not fold.finished:
            found.append(_failure("training", where, "not trained to its end yet"))
        elif fold.summary is None:
            found.append(_failure("validation", where, "no validation scores yet"))
        waits = describe_fold(fold)["waiting_for_loader"]
        if waits is not None and waits > SLOW_LOADER:
            what = f"the network waited for data {waits:.0%} of the time"
            found.append(_failure("loader", where, what))
        for case in fold.summary.missing if fold.summary else ():
            found.append(_failure("missing", case, f"not predicted by {where}"))
        for case, why in (fold.summary.failed if fold.summary else {}).items():
            found.append(_failure("not scored", case, why))
        for case in scores_of(fold) if fold.held_out else ():
            unit = fold.summary.unit if fold.summary else ""
            found += _class_failures(case, scores_of(fold)[case], where, unit)
    return found


def _class_failures(
    case: str, scores: Mapping[str, Mapping[str, float]], where: str, unit: str
) -> list[dict[str, str]]:
    found = []
    for name, of in scores.items():
        predicted, reference = _amounts(of)
        bad = [key for key in ("dice", "ap_50") if of.get(key, math.nan) < BAD]
        if reference > 0 and predicted == 0:
            found.append(_failure("missed", case, f"{name} was not found ({where})"))
        elif predicted > 0 and reference == 0:
            what = f"{name} was found and is not there ({where})"
            found.append(_failure("invented", case, what))
        elif bad:
            said = f"a {measure_of(bad[0]).heading} of {of[bad[0]]:.2f}"
            found.append(_failure("off", case, f"{name} has {said} ({where})"))
        elif of.get("nme", math.nan) > FAR:
            what = f"{name} is {of['mre']:.3g} {unit} from its place ({where})"
            found.append(_failure("off", case, what))
    return found


def _amounts(of: Mapping[str, float]) -> tuple[float, float]:
    """Return how much of a class was predicted and annotated: voxels or objects."""
    if "reference" in of:
        return of["predicted"], of["reference"]
    tp, fp, fn = (of.get(key, math.nan) for key in ("tp", "fp", "fn"))
    return tp + fp, tp + fn


def _failure(kind: str, where: str, what: str) -> dict[str, str]:
    return {"kind": kind, "where": where, "what": what}
