"""Find the read-out of a model or of an annotation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoseg.errors import UsageError
from autoseg.model.model import Model
from autoseg.predict.options import Options
from autoseg.predict.readouts import READOUTS
from autoseg.predict.readouts.base import Readout
from autoseg.spec.image import Geometry
from autoseg.tasks import TASKS, make_task


def kind_of(model: Model) -> type[Readout]:
    """Return what reads the kind of annotation that a model predicts."""
    return READOUTS[TASKS[model.plan.task.name].kind]


def readout_of(model: Model, options: Options) -> Readout:
    """Return what reads a model's predictions, with the task of its plan."""
    task = make_task(model.plan.task)
    return READOUTS[task.kind](model, task, options)


def save(path: Path, annotation: Any, geometry: Geometry) -> None:
    """Write an annotation of any kind; see `Readout.save`.

    Raises
    ------
    UsageError
        If it is of no kind that is known.
    """
    for name in READOUTS.names():
        if READOUTS[name].holds(annotation):
            READOUTS[name].save(path, annotation, geometry)
            return
    raise UsageError(
        f"{path}: a {type(annotation).__name__} is none of "
        f"{', '.join(READOUTS.names())}."
    )
