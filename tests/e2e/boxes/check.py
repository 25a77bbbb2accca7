"""What `check` says of boxes: that they are inside of their image."""

from autoseg.fingerprint.check.kinds.base import CheckKind
from autoseg.fingerprint.check.problem import Problem


class BoxCheck(CheckKind):
    def look_inside(self, facts, path, annotation):
        facts.empty = annotation.empty
        if (annotation.corners > annotation.shape).any():
            fix = "Draw it inside of the image."
            facts.problems.append(Problem("warning", path, "A box leaves it.", fix))
