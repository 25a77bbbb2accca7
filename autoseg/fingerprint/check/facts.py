"""What is known of one case once its files have been read."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autoseg.fingerprint.check.drawn import Drawn
from autoseg.fingerprint.check.problem import Problem
from autoseg.fingerprint.extremes import Extreme
from autoseg.fingerprint.outside import Outside
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
    missing : bool
        Whether there is no annotation.
    empty : bool
        Whether the annotation has nothing but zeros.
    found : Any
        What the kind of annotation keeps for a look at all cases together; None if the
        annotation was not read.
    extremes : list of (Path, Extreme)
        Values far from all others of a file.
    box : tuple of slice or None
        What the image is cropped to, on its own axes; None if all of it is kept, or a
        file could not be read.
    blank : bool
        Whether the image is 0 everywhere, in all channels.
    outside : mapping of str to (int, int)
        Of classes that lie outside of the box in part: how much does, of how much.
    called : tuple of str
        What its files call its channels; empty if they do not say.
    ends : list of (float, float)
        The smallest and the largest value of each channel.
    drawn : Drawn or None
        How the annotation looks; None if nothing is drawn, or it is too large.
    """

    case: Case
    problems: list[Problem] = field(default_factory=list)
    geometry: Geometry | None = None
    digest: str | None = None
    missing: bool = False
    empty: bool = False
    found: Any = None
    extremes: list[tuple[Path, Extreme]] = field(default_factory=list)
    box: tuple[slice, ...] | None = None
    blank: bool = False
    outside: Outside = field(default_factory=dict)
    called: tuple[str, ...] = ()
    ends: list[tuple[float, float]] = field(default_factory=list)
    drawn: Drawn | None = None

    @property
    def orientation(self) -> str | None:
        """Orientation of the image, None if it has none."""
        if self.geometry is None or self.geometry.unit == "px":
            return None
        return orientation_of(self.geometry)


def told(facts: Sequence[CaseFacts]) -> Iterator[Problem]:
    """Yield the problems of all cases; of a file for several, with the case.

    What keeps a whole file from being read is told once.

    Parameters
    ----------
    facts : sequence of CaseFacts
        Of all cases.
    """
    shared = _shared(facts)
    counts: dict[Path, Counter[Problem]] = defaultdict(Counter)
    for fact in facts:
        for problem in dict.fromkeys(fact.problems):
            counts[problem.file][problem] += 1
    for fact in facts:
        for problem in fact.problems:
            users = shared.get(problem.file, 0)
            whole = problem.severity == "error"
            whole = whole and counts[problem.file][problem] == users
            alone = users < 2 or whole
            yield problem if alone else replace(problem, case=fact.case.id)


def is_shared(fact: CaseFacts, facts: Sequence[CaseFacts]) -> bool:
    """Return whether other cases have their annotations in the same file."""
    own = fact.case.annotation
    return sum(other.case.annotation == own for other in facts) > 1


def _shared(facts: Sequence[CaseFacts]) -> Counter[Path]:
    """Return how many cases each file of annotations has."""
    return Counter(f.case.annotation for f in facts if f.case.annotation is not None)
