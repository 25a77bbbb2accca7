"""What validation says of predicted points beside what is true; JSON numbers.

Legend: N cases, L landmarks, D axes. Lengths are in the unit of the spacing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import PlanError
from autoseg.spec.points import STATUS, Points

Array = NDArray[np.float64]
Rows = tuple[tuple[float, ...], ...]

DIGITS = 6  # after the point, of what is kept


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a model said about cases that it was not trained on, and what is true.

    Parameters
    ----------
    names : tuple of str, length L
        The landmarks.
    usual : tuple of float, length L
        Thresholds of the plan: 0 for landmarks that are never absent in training, 0.5
        for those whose threshold is to be learnt; another one is the user's and stays.
    cases : tuple of str, length N
        Ids.
    score, spread : tuple of tuple of float, shape (N, L)
        The network's score, and the root of the trace of the covariance.
    error : tuple of tuple of float or None, shape (N, L)
        Distance of the best peak to the annotated point; None where there is none.
    status : tuple of tuple of str, shape (N, L)
        ``"present"``, ``"absent"`` or ``"unknown"``, as annotated.

    Raises
    ------
    PlanError
        If the lengths differ.
    """

    names: tuple[str, ...]
    usual: tuple[float, ...]
    cases: tuple[str, ...]
    score: Rows
    spread: Rows
    error: tuple[tuple[float | None, ...], ...]
    status: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for name in ("score", "spread", "error", "status"):
            rows = getattr(self, name)
            lengths = {len(row) for row in rows} | {len(self.usual)}
            if len(rows) != len(self.cases) or lengths != {len(self.names)}:
                raise PlanError(
                    f"{name} must have a row for each of {len(self.cases)} cases and "
                    f"in it a number for each of {len(self.names)} landmarks"
                )

    @classmethod
    def none(cls, names: Sequence[str], usual: Sequence[float]) -> Evidence:
        """Return that of no cases; see above."""
        rows: dict[str, tuple[Any, ...]] = {f.name: () for f in fields(cls)[2:]}
        return cls(names=tuple(names), usual=tuple(map(float, usual)), **rows)

    @classmethod
    def of(
        cls,
        cases: Sequence[tuple[str, Points, Points, Sequence[float]]],
        usual: Sequence[float],
    ) -> Evidence:
        """Return what predictions say beside annotations.

        Parameters
        ----------
        cases : sequence of (str, Points, Points, spacing)
            Id; prediction with the details ``score`` (L,), ``covariance`` (L, D, D)
            in squared units of length and ``peak`` (L, D); annotation of the same
            landmarks; edge of a voxel. At least one.
        usual : sequence of float, length L
            See above.
        """
        names = cases[0][2].names
        rows: dict[str, list[Any]] = {f.name: [] for f in fields(cls)[2:]}
        for case, predicted, reference, spacing in cases:
            found, truth = predicted.ordered(names), reference.ordered(names)
            score = np.nan_to_num(np.asarray(found.details["score"], np.float64))
            apart = (found.details["peak"] - truth.coordinates) * np.asarray(spacing)
            error = np.linalg.norm(apart, axis=1)
            spread = spread_of(found.details["covariance"])
            rows["cases"].append(case)
            rows["score"].append(_kept(score))
            rows["spread"].append(_kept(np.nan_to_num(spread)))
            rows["error"].append(
                tuple(e if np.isfinite(e) else None for e in _kept(error))
            )
            rows["status"].append(tuple(STATUS[i] for i in truth.status))
        columns = {name: tuple(values) for name, values in rows.items()}
        return cls(names=names, usual=tuple(map(float, usual)), **columns)

    def of_cases(self, rows: Sequence[int]) -> Evidence:
        """Return the same of some of the cases, by their place."""
        kept = {
            f.name: tuple(getattr(self, f.name)[i] for i in rows)
            for f in fields(self)[2:]
        }
        return replace(self, **kept)

    @property
    def errors(self) -> Array:
        """Errors, shape (N, L), NaN where there are none."""
        return np.array(self.error, dtype=np.float64).reshape(-1, len(self.names))


def pooled(parts: Sequence[Evidence]) -> Evidence:
    """Return the evidence of several folds together.

    Parameters
    ----------
    parts : sequence of Evidence
        Of the same landmarks, at least one.

    Returns
    -------
    Evidence
        All their cases.

    Raises
    ------
    PlanError
        If they are of different landmarks.
    """
    first = parts[0]
    if any((p.names, p.usual) != (first.names, first.usual) for p in parts):
        raise PlanError("the folds learnt other landmarks, or other thresholds")
    rows = {
        f.name: tuple(row for part in parts for row in getattr(part, f.name))
        for f in fields(first)[2:]
    }
    return replace(first, **rows)


def spread_of(covariance: Array) -> Array:
    """Return the root of the trace of covariances (..., D, D): one length for each."""
    result: Array = np.sqrt(np.trace(covariance, axis1=-2, axis2=-1))
    return result


def _kept(values: Array) -> tuple[float, ...]:
    return tuple(np.round(values, DIGITS).tolist())
