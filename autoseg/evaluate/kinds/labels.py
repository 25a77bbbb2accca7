"""Label maps: a file for each case, and nothing to know beforehand."""

from autoseg.evaluate.kinds import EVALUATE_KINDS
from autoseg.evaluate.kinds.base import EvaluateKind


@EVALUATE_KINDS.register
class LabelsEvaluation(EvaluateKind):
    """What every kind does that knows no better."""
