"""One thing that was tried after the networks, and what it gained."""

from __future__ import annotations

from dataclasses import dataclass

from autoseg.find_best.table import Gain


@dataclass(frozen=True, kw_only=True)
class Step:
    """One rule that was tried.

    Parameters
    ----------
    name : str
        Of the rule.
    of : str
        The class.
    value : str
        Its parameter, as a person reads it.
    gain : Gain
        For this class, by parameters that were chosen on other folds.
    kept : bool
        Whether the gain is sure.
    """

    name: str
    of: str
    value: str
    gain: Gain
    kept: bool
