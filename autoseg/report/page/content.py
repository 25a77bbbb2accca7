"""What a report says, as plain JSON values: the page shows nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from autoseg.spec.dataset import Dataset
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.json import load_object, to_json
from autoseg.spec.plan import Plan
from autoseg.train.after.results import Trained
from autoseg.train.loop.logbook import read_log
from autoseg.workspace import CHECKPOINT_FINAL

SCHEMA = 1
GIB = 2**30


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
                "levels": _levels(chosen.network.options),
                "memory_gb": sum(chosen.memory.values()) / GIB or None,
                "previous": chosen.previous,
            }
            for name, chosen in plan.configurations.items()
        },
        "decisions": [to_json(decision) for decision in plan.decisions],
    }


def _levels(options: Mapping[str, Any]) -> int:
    """Return how many resolutions a network has; 0: its options do not say."""
    strides = options.get("strides")
    if strides:
        return 1 + sum(any(step > 1 for step in stride) for stride in strides)
    features = options.get("features", ())
    return len(features) if isinstance(features, (list, tuple)) else 0


def describe_stages(file: Path) -> list[dict[str, Any]]:
    """Return what commands took, the last of each kind, in the order they ended.

    Parameters
    ----------
    file : Path
        `Workspace.stages`; may be missing.

    Returns
    -------
    list of dict of str to JSON value
        ``stage``, ``seconds``, ``processor_seconds``, ``memory`` in bytes, ``when``,
        ``configuration`` and ``fold``; these two are None but of trainings.
    """
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in read_log(file) if file.is_file() else ():
        kind = tuple(line.get(key) for key in ("stage", "configuration", "fold"))
        found.pop(kind, None)
        found[kind] = {"configuration": None, "fold": None} | line
    return list(found.values())


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
