"""What is known of one case once its files have been read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from autoseg.fingerprint.check.problem import Problem
from autoseg.geometry.orientation import orientation_of
from autoseg.spec.dataset import Case
from autoseg.spec.image import Geometry


@dataclass
class CaseFacts:
    """What was found in a case's files.

    Parameters
    ----------
    case : Case
        The case.
    problems : list of Problem
        What is wrong with it.
    geometry : Geometry or None
        Of its first image file that could be read.
    digest : str or None
        Equal for equal voxels.
    empty : bool
        Whether the annotation has nothing but zeros.
    found : Any
        What the kind of annotation keeps for a look at all cases together; None if the
        annotation was not read.
    """

    case: Case
    problems: list[Problem] = field(default_factory=list)
    geometry: Geometry | None = None
    digest: str | None = None
    empty: bool = False
    found: Any = None

    @property
    def orientation(self) -> str | None:
        """Orientation of the image, None if it has none."""
        if self.geometry is None or self.geometry.unit == "px":
            return None
        return orientation_of(self.geometry)
