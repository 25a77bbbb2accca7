"""Files that a training can go on from, and files with its weights."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from autoseg.atomic import temporary_of
from autoseg.errors import ModelError, TrainingError
from autoseg.model.tensors import check_real, load_tensors
from autoseg.spec.json import to_json
from autoseg.spec.plan import Plan
from autoseg.workspace import CHECKPOINT_LATEST

logger = logging.getLogger(__name__)

FORMAT = 1
PREVIOUS = "checkpoint_previous.pt"  # the one before the latest, should that be damaged


def write_torch(path: Path, value: Any) -> None:
    """Write tensors and plain values so that the file is complete or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_of(path)
    try:
        with temporary.open("wb") as file:
            try:
                torch.save(value, file)
            except RuntimeError as error:
                # Of a disk that is full, torch says that its archive's end is amiss.
                if isinstance(error.__context__, OSError):
                    raise error.__context__ from None
                raise
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def save_state(folder: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a training; the one before it is kept until the next time.

    Parameters
    ----------
    folder : Path
        The fold's.
    state : mapping
        Tensors, numbers, texts, and lists and dicts of them.
    """
    latest = folder / CHECKPOINT_LATEST
    temporary = temporary_of(latest)
    try:
        write_torch(temporary, {"format": FORMAT, **state})
        if latest.exists():
            os.replace(latest, folder / PREVIOUS)
        os.replace(temporary, latest)
    finally:
        temporary.unlink(missing_ok=True)


class Saver:
    """Write the state of a training when it is due.

    Parameters
    ----------
    folder : Path
        The fold's.
    state : callable
        Gives the state.
    seconds : float
        No more often than this, unless it is asked for.
    """

    def __init__(
        self, folder: Path, state: Callable[[], Mapping[str, Any]], seconds: float
    ) -> None:
        self.folder = folder
        self.state = state
        self.seconds = seconds
        self._last = time.monotonic()

    def write(self) -> None:
        """Write now."""
        save_state(self.folder, self.state())
        self._last = time.monotonic()

    def is_due(self) -> bool:
        """Return whether the last time was long enough ago."""
        return time.monotonic() - self._last >= self.seconds


def load_state(folder: Path) -> dict[str, Any] | None:
    """Read the state of a training that was stopped.

    Parameters
    ----------
    folder : Path
        The fold's.

    Returns
    -------
    dict or None
        What `save_state` wrote last; the one before it if that is damaged; None if
        there is none.

    Raises
    ------
    TrainingError
        If there are files, and none of them can be read.
    """
    damaged: list[str] = []
    for name in (CHECKPOINT_LATEST, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            state = load_tensors(path, str(path))
            if state.get("format") != FORMAT:
                raise ModelError(f"{path}: format {state.get('format')} is unknown.")
        except ModelError as error:
            damaged.append(str(error))
            continue
        if damaged:
            logger.warning(
                "%s cannot be read; going on from %s.", " ".join(damaged), path
            )
        return dict(state)
    if damaged:
        raise TrainingError(
            f"No checkpoint can be read: {' '.join(damaged)} Put a copy in its "
            "place, or train from the start with --overwrite."
        )
    return None


def remove_state(folder: Path) -> None:
    """Remove what only a training that goes on needs."""
    for name in (CHECKPOINT_LATEST, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def save_weights(
    path: Path,
    weights: Mapping[str, Tensor],
    plan: Plan,
    configuration: str,
    fold: str,
) -> None:
    """Write a fold's weights with all that is needed to build its network.

    Parameters
    ----------
    path : Path
        Opens with ``torch.load(path, weights_only=True)``.
    weights : mapping of str to Tensor
        The network's `state_dict`.
    plan : Plan
        As trained.
    configuration, fold : str
        Which part of it was trained, on which cases.
    """
    plain = {
        # Whatever the layout was in training: the same file for the same numbers.
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in weights.items()
    }
    write_torch(
        path,
        {
            "weights": plain,
            "plan": to_json(plan),
            "configuration": configuration,
            "fold": fold,
        },
    )


def copy_weights(source: Path, target: Path) -> None:
    """Copy a file of `save_weights`; the copy is complete or not there."""
    temporary = temporary_of(target)
    try:
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read the weights of a file of `save_weights`.

    Raises
    ------
    TrainingError
        If it is missing, damaged, or something else.
    """
    try:
        weights = load_tensors(path, str(path)).get("weights")
    except ModelError as error:
        raise TrainingError(
            f"{path} holds no weights of autoseg: {error} Give a model folder or its "
            "checkpoint file."
        ) from None
    if not isinstance(weights, Mapping):
        raise TrainingError(
            f"{path} holds no weights of autoseg. Give a model folder or its "
            "checkpoint file."
        )
    try:
        check_real(weights, str(path))
    except ModelError as error:
        raise TrainingError(str(error)) from None
    return dict(weights)
