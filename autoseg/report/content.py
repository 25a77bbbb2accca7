"""What a report says, as plain JSON values: the page shows nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

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
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.json import load_object, to_json
from autoseg.spec.plan import Plan
from autoseg.train.after.results import Fold, Trained, scores_of
from autoseg.workspace import CHECKPOINT_FINAL

SCHEMA = 1
GIB = 2**30
SLOW_LOADER = 0.2  # of the time: more waiting than this is worth a word
BAD = 0.1  # a class that is found no better is as good as missed
FAR = 0.1  # of the normalizing length: a point that is farther off is another place


def describe_data(dataset: Dataset, fingerprint: Fingerprint) -> dict[str, Any]:
    """Return a data set in numbers.

    Parameters
    ----------
    dataset : Dataset
        With its cases.
    fingerprint : Fingerprint
        What was measured of it.

    Returns
    -------
    dict of str to JSON value
        Sizes and spacings as median and range along each axis, slowest first; classes
        with their share of all voxels.
    """
    shapes, spacings = np.array(fingerprint.shapes), np.array(fingerprint.spacings)
    return {
        "name": dataset.name,
        "task": dataset.task,
        "training_cases": len(dataset.training),
        "test_cases": len(dataset.test),
        "groups": len({case.group for case in dataset.training if case.group}),
        "dim": fingerprint.dim,
        "unit": fingerprint.unit,
        "channels": list(fingerprint.channel_names),
        "orientations": dict(fingerprint.orientations),
        "cropped_to": fingerprint.relative_size_after_crop,
        "shape": _along_axes(shapes),
        "spacing": _along_axes(spacings),
        "extent": _along_axes(shapes * spacings),
        "intensities": {
            name: to_json(found)
            for name, found in zip(
                fingerprint.channel_names, fingerprint.intensities, strict=False
            )
        },
        "classes": _classes(fingerprint.annotation),
        "objects": _objects(fingerprint.annotation),
        "landmarks": _landmarks(fingerprint.annotation),
    }


def _classes(measured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what was measured of each class; of instances, how many there are."""
    found = measured.get("classes")
    keys = ("cases_present", "frequency", "objects", "median_object_size")
    classes: dict[str, dict[str, Any]] = {}
    for name, numbers in found.items() if isinstance(found, Mapping) else ():
        if not isinstance(numbers, Mapping):
            numbers = {"objects": numbers}
        classes[name] = {key: numbers.get(key) for key in keys}
    return classes


def _objects(measured: Mapping[str, Any]) -> dict[str, Any]:
    """Return how many instances an image has and how large they are, as ranges."""
    ranges = {
        key: measured[key]
        for key in ("objects_per_image", "diameter")
        if isinstance(measured.get(key), Mapping)
    }
    if not ranges:
        return {}
    return ranges | {key: measured.get(key) for key in ("touching", "foreground")}


def _landmarks(measured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return of each landmark in how many cases it is there, absent or unknown."""
    status, near = measured.get("status"), measured.get("neighbor")
    if not isinstance(status, Mapping):
        return {}
    near = near if isinstance(near, Mapping) else {}
    return {
        name: {**counts, "neighbor": near.get(name)} for name, counts in status.items()
    }


def _along_axes(values: Any) -> dict[str, list[float]]:
    return {
        "least": values.min(axis=0).tolist(),
        "median": np.median(values, axis=0).tolist(),
        "most": values.max(axis=0).tolist(),
    }


def describe_plan(plan: Plan) -> dict[str, Any]:
    """Return a plan's configurations, and its decisions with their reasons."""
    return {
        "name": plan.name,
        "planner": plan.planner,
        "budget": to_json(plan.budget),
        "configurations": {
            name: {
                "spacing": list(chosen.spacing),
                "patch_size": list(chosen.patch_size),
                "batch_size": chosen.batch_size,
                "network": chosen.network.name,
                "levels": len(chosen.network.options.get("features", ())),
                "memory_gb": sum(chosen.memory.values()) / GIB or None,
                "previous": chosen.previous,
            }
            for name, chosen in plan.configurations.items()
        },
        "decisions": [to_json(decision) for decision in plan.decisions],
    }


def describe_selection(
    bundle: Path, trained: Sequence[Trained]
) -> dict[str, Any] | None:
    """Return what `find_best` chose, as its file says; None if it did not run.

    Parameters
    ----------
    bundle : Path
        The bundle; the file lies beside it.
    trained : sequence of Trained
        What there is to choose from.

    Returns
    -------
    dict of str to JSON value, or None
        See `autoseg.find_best.selection.Selection`; and ``outdated``, whether a fold
        was trained after the choice.
    """
    file = bundle.with_suffix(".json")
    if not file.is_file():
        return None
    made = file.stat().st_mtime
    newer = [
        fold.finished and (fold.folder / CHECKPOINT_FINAL).stat().st_mtime > made
        for one in trained
        for fold in one.folds
    ]
    return {**load_object(file), "path": str(bundle), "outdated": any(newer)}


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


def describe_trained(trained: Trained) -> dict[str, Any]:
    """Return everything about one configuration that was trained.

    Parameters
    ----------
    trained : Trained
        With its folds.

    Returns
    -------
    dict of str to JSON value
        ``folds``; ``scores`` of all held-out cases together, each by the fold that had
        not seen it; ``cases``, a row for each case; ``measure``, which ranks them;
        ``quality``, how well predictions rank themselves by their uncertainty.
    """
    pooled = trained.pooled()
    measure = main_measure(metric_names(pooled.cases)) if pooled else None
    return {
        "name": trained.name,
        "plan": trained.plan,
        "configuration": trained.configuration,
        "folds": [describe_fold(fold) for fold in trained.folds],
        "measure": measure,
        "scores": None if pooled is None else describe_scores(pooled),
        "cases": [] if pooled is None else _rows(trained, pooled, str(measure)),
        "failures": failures_of(trained, pooled),
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


def failures_of(trained: Trained, pooled: Summary | None) -> list[dict[str, str]]:
    """Return what went wrong, the gravest first: each with kind, where and what.

    Parameters
    ----------
    trained : Trained
        A configuration.
    pooled : Summary or None
        Scores of its held-out cases.

    Returns
    -------
    list of dict of str to str
        Keys ``kind``, ``where``, ``what``.
    """
    found = []
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
