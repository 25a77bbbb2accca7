"""Where each field of a model lies: the one table that writing and reading follow.

A bundle has JSON files, tensors of each fold, entries of its manifest, and other models
below a prefix; a folder that training made has files and folds. A new field of `Model`
is one row of `FIELDS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from autoseg.errors import ModelError, PlanError
from autoseg.landmarks.confidence import Confidence
from autoseg.metrics.calibration import Calibration
from autoseg.metrics.object_scores import ScoreCurve
from autoseg.model.field_kinds import (
    DEFAULTS,
    Entry,
    Field,
    Folds,
    JsonFile,
    Part,
    Parts,
    Weights,
)
from autoseg.model.model import Model
from autoseg.model.packed import Packed
from autoseg.model.postprocessing import Postprocessing
from autoseg.model.trained import TrainedFolder
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.json import from_json
from autoseg.spec.plan import Plan
from autoseg.spec.scale import Scale
from autoseg.workspace import (
    CALIBRATION,
    CONFIDENCE,
    MODEL_DATASET,
    MODEL_FINGERPRINT,
    MODEL_PLAN,
    POSTPROCESSING,
    SCALE,
    SCORES,
)


def parts(model: Model, prefix: str = "") -> Iterator[tuple[str, Model]]:
    """Give a model and all that belong to it, each with its prefix in a bundle.

    Parameters
    ----------
    model : Model
        Comes first; then the stage before, with what belongs to it, then partners.
    prefix : str
        Its own.
    """
    yield prefix, model
    for name, row in FIELDS.items():
        for below, part in row.parts(name, model):
            yield from parts(part, prefix + below)


def schema_of(model: Model) -> int:
    """Return the lowest schema of bundles that can say what a model has."""
    return max(
        row.since
        for _, part in parts(model)
        for name, row in FIELDS.items()
        if row.since == 1 or getattr(part, name) != DEFAULTS[name]
    )


def unpack(packed: Packed) -> Model:
    """Return a model of a bundle.

    Raises
    ------
    ModelError
        If a file is missing, damaged or no part of a model; it is named.
    """
    known: dict[str, Any] = {}
    try:
        for name, row in FIELDS.items():
            known[name] = row.unpack(name, packed, known)
    except PlanError as error:
        raise ModelError(str(error)) from None
    return Model(**known, source=str(packed.archive.path))


def collect(folder: TrainedFolder) -> Model:
    """Return the model in a folder that training made.

    Raises
    ------
    ModelError, PlanError
        If a file is damaged; it is named.
    """
    known = {
        name: DEFAULTS[name] if row.folder is None else row.folder(folder)
        for name, row in FIELDS.items()
    }
    return Model(**known, source=str(folder.path))


def _as_it_is(raw: dict[str, Any], where: str) -> dict[str, Any]:
    return raw


def _numbers(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """Return a fingerprint as the file has it, if it is one."""
    rows = {k: list(v) for k, v in raw.items() if isinstance(v, list)}
    Fingerprint.from_object({**raw, **rows}, where)
    return raw


def _fingerprint(folder: TrainedFolder) -> dict[str, Any] | None:
    raw = folder.json(MODEL_FINGERPRINT)
    return None if raw is None else _numbers(raw, str(folder.path / MODEL_FINGERPRINT))


def _before(folder: TrainedFolder) -> Model | None:
    return None if folder.before is None else collect(folder.before)


# In the order in which they are written and read: weights need plan and folds.
FIELDS: Mapping[str, Field] = {
    "plan": JsonFile(
        file=MODEL_PLAN, load=Plan.from_object, needed=True, folder=lambda f: f.plan
    ),
    "dataset": JsonFile(
        file=MODEL_DATASET,
        load=_as_it_is,
        needed=True,
        folder=lambda f: f.json(MODEL_DATASET) or {},
    ),
    "fingerprint": JsonFile(file=MODEL_FINGERPRINT, load=_numbers, folder=_fingerprint),
    "configuration": Entry(folder=lambda f: f.configuration),
    "folds": Folds(folder=lambda f: f.folds),
    "format": Entry(kind=(str, type(None))),
    "origin": Entry(),
    "weights": Weights(folder=lambda f: tuple(c["weights"] for c in f.checkpoints)),
    "postprocessing": JsonFile(
        file=POSTPROCESSING,
        load=Postprocessing.from_json,
        since=2,
        folder=lambda f: f.postprocessing,
    ),
    "confidence": JsonFile(
        file=CONFIDENCE,
        load=partial(from_json, Confidence),
        since=3,
        folder=lambda f: f.confidence,
    ),
    "calibration": JsonFile(
        file=CALIBRATION,
        load=Calibration.load,
        since=5,
        folder=lambda f: f.calibration,
    ),
    "scores": JsonFile(
        file=SCORES, load=ScoreCurve.load, since=6, folder=lambda f: f.scores
    ),
    "scale": JsonFile(file=SCALE, load=Scale.from_json, since=4),
    "previous": Part(prefix="previous/", read=unpack, folder=_before),
    "partners": Parts(prefix="partner_{}/", read=unpack, since=2),
}
NOT_STORED = ("source", "depth")
SCHEMA = max(row.since for row in FIELDS.values())
