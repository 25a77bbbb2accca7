"""One image to predict, and the files of its prediction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from autoseg.spec.dataset import Case

SPARE = ".tif"  # holds any ids
PROBABILITIES = {"b2nd": "_probabilities.b2nd", "npz": ".npz"}
"""How files of activated outputs end, by kind."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One image to predict.

    Parameters
    ----------
    case : Case
        With its image files.
    output : Path
        File of the prediction.
    """

    case: Case
    output: Path

    def probabilities(self, kind: str) -> Path:
        """Return the file of the activated outputs, beside the prediction."""
        return self.output.with_name(f"{self.case.id}{PROBABILITIES[kind]}")

    @property
    def spare(self) -> Path | None:
        """File of ids that the files of training cannot hold, unless that is taken."""
        file = self.output.with_name(f"{self.case.id}{SPARE}")
        taken = {path.resolve() for path in (self.output, *self.case.images)}
        return None if file.resolve() in taken else file

    def done(self) -> Job:
        """Return the job with the file that was written."""
        if self.output.exists() or self.spare is None or not self.spare.exists():
            return self
        return replace(self, output=self.spare)
