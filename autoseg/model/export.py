"""Models in one file: to share, to keep, or taken over from nnU-Net v2."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from autoseg.model.bundle import write_bundle
from autoseg.model.chosen import checkpoint_name
from autoseg.model.load import load_model
from autoseg.model.loaders import LOADERS
from autoseg.model.model import Model
from autoseg.outputs import refuse_foreign

PathLike = str | os.PathLike[str]
NOT_STATED = "not stated"


def export(
    model: PathLike | Model,
    output: PathLike,
    *,
    configuration: str | None = None,
    folds: Sequence[str | int] | None = None,
    checkpoint: str = "final",
    license: str = NOT_STATED,
    overwrite: bool = False,
) -> Path:
    """Write a trained model as one file.

    Parameters
    ----------
    model : path or Model
        A model's folder, or anything that `autoseg.model.load.load_model` reads.
    output : path
        Where to; ends in ``.zip``.
    configuration : str, optional
        Which one, where there are several.
    folds : sequence of int or str, optional
        Which folds; default: all that are there.
    checkpoint : str
        ``"final"`` or ``"best"``.
    license : str
        Under which terms others may use the weights; stands in the card.
    overwrite : bool
        Replace also a file that autoseg did not write.

    Returns
    -------
    Path
        The bundle.

    Raises
    ------
    ModelError
        If there is no model, or it is incomplete or damaged.
    UsageError
        If the file cannot be written there.
    """
    file = Path(output)
    refuse_foreign([file], overwrite=overwrite)
    if not isinstance(model, Model):
        model = load_model(
            Path(model), configuration=configuration, folds=folds, checkpoint=checkpoint
        )
    return write_bundle(model, file, license=license, overwrite=overwrite)


def import_nnunet(
    path: PathLike,
    output: PathLike,
    *,
    configuration: str | None = None,
    folds: Sequence[str | int] | None = None,
    checkpoint: str = "final",
    license: str = NOT_STATED,
    overwrite: bool = False,
) -> Path:
    """Turn a model of nnU-Net v2 into one file; nothing that is in it is executed.

    Parameters
    ----------
    path : path
        A model folder (Trainer__Plans__Configuration), a results folder or an exported
        zip.
    output : path
        Where to; ends in ``.zip``.
    configuration : str, optional
        Which one, where there are several.
    folds : sequence of int or str, optional
        Which folds; default: all that are there.
    checkpoint : str
        ``"final"``, ``"best"`` or ``"latest"``.
    license : str
        Under which terms others may use the weights; stands in the card.
    overwrite : bool
        Replace also a file that autoseg did not write.

    Returns
    -------
    Path
        The bundle.

    Raises
    ------
    ModelError
        If there is no model of nnU-Net, or it is incomplete or damaged.
    UsageError
        If the file cannot be written there.
    """
    file = Path(output)
    refuse_foreign([file], inputs=[Path(path)], overwrite=overwrite)
    model = LOADERS["nnunet"]().load(
        Path(path),
        configuration=configuration,
        folds=folds,
        checkpoint=checkpoint_name(checkpoint),
    )
    return write_bundle(model, file, license=license, overwrite=overwrite)
