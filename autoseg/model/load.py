"""Read a trained model from wherever it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autoseg.errors import ModelError, PlanError, did_you_mean, some_of
from autoseg.model.chosen import checkpoint_name
from autoseg.model.fields import parts
from autoseg.model.library.shelf import find_named, named
from autoseg.model.loaders import LOADERS
from autoseg.model.model import Model
from autoseg.model.tensors import check_real
from autoseg.spec.choice import Choice
from autoseg.spec.foreign.archive import Archive
from autoseg.tasks import TASKS, make_task
from autoseg.workspace import MODEL_PLAN

MOST_NAMED = 10  # folders in a message


def load_model(
    path: str | Path,
    *,
    configuration: str | None = None,
    folds: Sequence[str | int] | None = None,
    checkpoint: str = "final",
) -> Model:
    """Read a model from wherever it is.

    Parameters
    ----------
    path : str or Path
        A folder that `autoseg train` made (``results/DATASET/PLAN/CONFIGURATION``), a
        bundle, a folder or zip of nnU-Net v2, or what a further plug-in in
        ``autoseg/model/loaders`` reads. Or the name of a model, as in
        ``autoseg models``, where no file or folder is called so that holds one.
    configuration : str, optional
        Which one, where there are several.
    folds : sequence of int or str, optional
        Default: all that are there.
    checkpoint : str
        ``"final"`` or ``"best"``; names of files such as ``checkpoint_final.pth`` are
        understood.

    Returns
    -------
    Model
        With one set of weights for each fold.

    Raises
    ------
    ModelError
        If there is no model, or it is incomplete or damaged.
    """
    path = Path(path)
    readers = [LOADERS[name]() for name in LOADERS.names()]
    if not path.exists() or not any(loader.is_mine(path) for loader in readers):
        path = find_named(path) or path
    if not path.exists():
        raise ModelError(_nothing_there(path))
    for loader in readers:
        if loader.is_mine(path):
            found = loader.load(
                path,
                configuration=configuration,
                folds=folds,
                checkpoint=checkpoint_name(checkpoint),
            )
            check_model(found)
            return found
    if path.is_file():
        Archive(path).close()  # what is damaged or unsafe says so
    inside = sorted(str(p.parent) for p in path.rglob(MODEL_PLAN))[:MOST_NAMED]
    hint = f" Models in it: {', '.join(inside)}." if inside else _around(path)
    kinds = ", nor ".join(loader.reads for loader in readers)
    raise ModelError(f"{path} is no model: neither {kinds}.{hint}")


def _around(path: Path) -> str:
    """Return the model that a fold's folder, or a checkpoint, is part of."""
    for folder in path.absolute().parents[:2]:
        if (folder / MODEL_PLAN).is_file():
            return (
                f" It is part of the model {folder}: give that, and the fold with -f."
            )
    return ""


def _nothing_there(path: Path) -> str:
    names = named()
    hint = did_you_mean(str(path), names)
    return (
        f"There is no model {path}: no such file or folder, and no model of that name."
        f"{hint} Names: {some_of(sorted(names), MOST_NAMED) or 'none'}."
    )


def check_model(model: Model) -> None:
    """Raise ModelError unless all parts of a model can be used.

    Weights have to be real numbers, and the task has to be one that there is, with
    options that it has.
    """
    for _, part in parts(model):
        for fold, weights in zip(part.folds, part.weights, strict=True):
            check_real(weights, f"{model.source}, fold {fold}")
        task = part.plan.task.name
        axes = part.plan.configuration(part.configuration).dim
        try:
            made = make_task(Choice(name=task, options=part.task_options()))
            _ = made.for_axes(axes).heads  # with all that they are made of
        except PlanError as error:
            raise ModelError(f"{model.source}: {error}") from None
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise ModelError(
                f"{model.source}: the task {task} cannot be made with its options "
                f"({error})."
            ) from None
        decoder, known = part.task_options().get("decoder"), TASKS[task].decoders
        if known and decoder not in (None, *known):
            raise ModelError(
                f"{model.source}: there is no decoder {decoder!r}; there are "
                f"{', '.join(known)}."
            )
