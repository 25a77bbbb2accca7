"""How large objects are that a model knows, to show it others as large."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoseg.errors import PlanError
from autoseg.spec.json import from_json


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Diameters of the objects of training; that of a disk or ball of the same size.

    Parameters
    ----------
    diameter : float
        The usual one, in the model's unit of length.
    low, high : float
        An image whose usual object is within is left as it is.
    """

    diameter: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.diameter <= self.high < math.inf:
            raise PlanError(
                f"a scale with diameters from {self.low} to {self.high} and usually "
                f"{self.diameter} cannot be"
            )

    @classmethod
    def from_json(cls, raw: Any, where: str = "scale") -> Scale:
        """Build it from JSON values; raises PlanError with every fault at once."""
        return from_json(cls, raw, where)

    @classmethod
    def of_fingerprint(cls, fingerprint: Mapping[str, Any] | None) -> Scale | None:
        """Return what a fingerprint knows: from the 5th to the 95th percentile.

        Examples
        --------
        >>> found = {"annotation": {"diameter": {"p5": 7.0, "p50": 20.0, "p95": 52.0}}}
        >>> Scale.of_fingerprint(found)
        Scale(diameter=20.0, low=7.0, high=52.0)
        """
        annotation = (fingerprint or {}).get("annotation")
        known: Any = annotation.get("diameter") if isinstance(annotation, dict) else {}
        try:
            low, diameter, high = (float(known[key]) for key in ("p5", "p50", "p95"))
            return cls(diameter=diameter, low=low, high=high)
        except (TypeError, KeyError, ValueError, PlanError):
            return None

    def factor(self, diameter: float) -> float:
        """Return by how much an image is enlarged whose objects are usually so large.

        Parameters
        ----------
        diameter : float
            In the model's unit of length.

        Returns
        -------
        float
            1 where the model knows such objects. Smaller ones are made as large as the
            usual ones of training, which loses nothing; larger ones as large as the
            largest that it knows, so that no more detail is lost than has to be.

        Examples
        --------
        >>> scale = Scale(diameter=20, low=10, high=50)
        >>> scale.factor(15), scale.factor(80), scale.factor(5)
        (1.0, 0.625, 4.0)
        """
        if self.low <= diameter <= self.high:
            return 1.0
        return (self.diameter if diameter < self.low else self.high) / diameter
