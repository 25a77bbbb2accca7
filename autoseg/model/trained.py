"""The folder that training makes of a configuration: files and folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from autoseg.errors import ModelError
from autoseg.landmarks.confidence import Confidence
from autoseg.metrics.calibration import Calibration, load_calibration
from autoseg.metrics.object_scores import ScoreCurve, load_scores
from autoseg.model.chosen import choose_folds
from autoseg.model.confidence import load_confidence
from autoseg.model.decoding import Decoding, task_options
from autoseg.model.postprocessing import Postprocessing
from autoseg.model.tensors import load_tensors
from autoseg.spec.json import load_object
from autoseg.spec.plan import Plan
from autoseg.workspace import DECODING, MODEL_PLAN


@dataclass(frozen=True, kw_only=True)
class TrainedFolder:
    """``results/DATASET/PLAN/CONFIGURATION``, and which part of it is meant.

    Parameters
    ----------
    path : Path
        The folder.
    folds : tuple of str
        Names of the folds that are used; each has the checkpoint.
    checkpoint : str
        ``"final"``, ``"best"``, or of a training that goes on.
    asked : bool
        Somebody asked for these folds.
    """

    path: Path
    folds: tuple[str, ...]
    checkpoint: str
    asked: bool

    @classmethod
    def find(
        cls, path: Path, folds: Sequence[str | int] | None, checkpoint: str
    ) -> TrainedFolder:
        """Return a folder with the folds that are asked for; None: with all.

        Raises
        ------
        ModelError
            If a fold is not there or not finished.
        """
        file = f"checkpoint_{checkpoint}.pt"
        there = sorted(p.parent.name[5:] for p in path.glob(f"fold_*/{file}"))
        names = choose_folds(there, folds, f"{path} ({file})")
        return cls(
            path=path,
            folds=tuple(names),
            checkpoint=checkpoint,
            asked=folds is not None,
        )

    @cached_property
    def plan(self) -> Plan:
        """The plan that all folds were trained with."""
        return Plan.load(self.path / MODEL_PLAN)

    @cached_property
    def checkpoints(self) -> tuple[dict[str, Any], ...]:
        """What the checkpoint of each fold holds; tensors are mapped from the disk."""
        file = f"checkpoint_{self.checkpoint}.pt"
        return tuple(
            read_checkpoint(self.path / f"fold_{name}" / file) for name in self.folds
        )

    @property
    def configuration(self) -> str:
        """Which of the plan's configurations was trained."""
        return str(self.checkpoints[0].get("configuration", self.path.name))

    @property
    def confidence(self) -> Confidence | None:
        """How far to trust points; it was learnt from what final weights say."""
        if self.checkpoint != "final":
            return None
        return load_confidence(self.path, self.folds)

    @property
    def calibration(self) -> Calibration | None:
        """How sure outputs may be; it was learnt from what final weights say."""
        if self.checkpoint != "final":
            return None
        return load_calibration(self.path, self.folds)

    @property
    def scores(self) -> ScoreCurve | None:
        """What scores of objects mean; it was learnt from what final weights say."""
        if self.checkpoint != "final":
            return None
        return load_scores(self.path, self.folds)

    @property
    def postprocessing(self) -> Postprocessing:
        """What the folds have tuned; the fold that has no cases to, as others."""
        files = [self.path / f"fold_{name}" / DECODING for name in self.folds]
        if self.folds == ("all",) and not files[0].is_file():
            files = sorted(self.path.glob(f"fold_*/{DECODING}"))
        found = [Decoding.load(file) for file in files if file.is_file()]
        return Postprocessing(task=task_options(self.plan.task, found, str(self.path)))

    @property
    def before(self) -> TrainedFolder | None:
        """In a cascade, the folder of the stage before; None where it is not there."""
        previous = self.plan.configuration(self.configuration).previous
        if previous is None or not (self.path.parent / previous).is_dir():
            return None
        folder = self.path.parent / previous
        # A stage that is still trained comes after one that is not.
        checkpoint = "best" if self.checkpoint == "best" else "final"
        if not self.asked:
            return self.find(folder, None, checkpoint)
        try:
            return self.find(folder, self.folds, checkpoint)
        except ModelError:
            # The first stage need not have been trained on the same folds.
            return self.find(folder, None, checkpoint)

    def json(self, name: str) -> dict[str, Any] | None:
        """Return what a JSON file of the folder holds; None if it is not there."""
        path = self.path / name
        return load_object(path) if path.is_file() else None


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a file with the weights of a fold; nothing in it is executed.

    Raises
    ------
    ModelError
        If it is damaged, holds more than tensors and plain values, or no weights.
    """
    content = load_tensors(path, str(path), mmap=True)
    if not isinstance(content.get("weights"), Mapping):
        raise ModelError(f"{path} holds no weights; it is no checkpoint of autoseg.")
    return content
