"""Points: which shapes are usual, and how far predicted points are to be trusted."""

from __future__ import annotations

from pathlib import Path

from autoseg.train.after.kinds import AFTER_KINDS
from autoseg.train.after.kinds.base import AfterKind
from autoseg.train.after.kinds.confidence import learn_confidence, learn_shapes
from autoseg.workspace import CONFIDENCE


@AFTER_KINDS.register
class AfterPoints(AfterKind):
    """Shapes are learnt from training cases, and trust from the validation."""

    def prepare(self) -> None:
        learn_shapes(self.job)

    def learn(self, predictions: Path) -> str:
        table = learn_confidence(self.job, predictions)
        if table is None:
            return ""
        return (
            f"How far to trust its points ({self.job.folder / CONFIDENCE}; in the "
            "scores above, each case was told what the other fifths of them taught):\n"
            f"{table}"
        )
