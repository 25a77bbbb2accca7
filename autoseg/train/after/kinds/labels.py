"""Label maps: validation cases are predicted as any other image."""

from __future__ import annotations

from autoseg.train.after.kinds import AFTER_KINDS
from autoseg.train.after.kinds.base import AfterKind


@AFTER_KINDS.register
class AfterLabels(AfterKind):
    """Nothing is tuned or learnt after the training."""
