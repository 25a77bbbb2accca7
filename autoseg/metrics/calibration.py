"""How sure outputs are allowed to be: a temperature, learnt from held-out cases.

Networks that are trained until they make no mistake any more are surer than they are
right. A temperature T makes their outputs softer (T > 1) or sharper (T < 1): softmax
and sigmoid of logits / T. Which class is most probable, and whether a region is over
one half, does not change, so labels stay as they are. The T of a head is the one by
which the annotations of held-out voxels are most probable [1]_.

Voxels are a random sample of each case (`Reservoir`): so many that are unsure, wrong or
annotated, and some of the many that are surely and truly background; each counts for as
many as there are of its sort. Of a sample its negative log likelihood at each of
`TEMPERATURES` is kept: sums of them are what several cases, or folds, say together, and
the least of a sum is found between them by a parabola.

Letters: K outputs of all heads, C outputs of one head, V voxels, S space.

References
----------
.. [1] Guo et al., "On calibration of modern neural networks", ICML 2017,
   arXiv:1706.04599.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import PlanError
from autoseg.metrics.learnt import LearntByFold, of_folds
from autoseg.spec.head import Head
from autoseg.spec.json import from_json
from autoseg.workspace import CALIBRATION

Floats = NDArray[np.floating[Any]]

WIDEST = 8.0  # temperatures are between an eighth and this
STEPS = 160
TEMPERATURES = np.geomspace(1 / WIDEST, WIDEST, STEPS + 1)
ONE = STEPS // 2  # where the temperature is 1
LEAST = 1e-20  # probabilities below it are taken for this
FEWEST_MISTAKES = (
    20  # voxels that were decided wrongly; fewer do not say how sure to be
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Temperatures of a model's outputs.

    Parameters
    ----------
    temperatures : mapping of str to float
        By head; heads that are not named stay as they are.
    """

    temperatures: Mapping[str, float]

    def __post_init__(self) -> None:
        for head, value in self.temperatures.items():
            if not 1 / WIDEST <= value <= WIDEST:
                raise PlanError(
                    f"calibration: the temperature of {head} is {value}; it is to be "
                    f"from {1 / WIDEST:g} to {WIDEST:g}."
                )

    @classmethod
    def load(cls, raw: dict[str, Any], where: str) -> Calibration:
        """Return what a JSON object says; raises PlanError where it is damaged."""
        return from_json(cls, raw, where)

    def soften(self, outputs: Floats, heads: Sequence[Head]) -> NDArray[np.float32]:
        """Return activated outputs as they are with the temperatures.

        Parameters
        ----------
        outputs : ndarray of float, shape (K, *S)
            Of all heads; those of a softmax sum to 1.
        heads : sequence of Head
            In order.

        Returns
        -------
        ndarray of float32, shape (K, *S)
            What is 0 or 1 stays so.
        """
        parts, start = [], 0
        for head in heads:
            part = outputs[start : start + head.channels]
            start += head.channels
            parts.append(_softened(part, head, self.temperatures.get(head.name, 1.0)))
        return np.concatenate(parts, dtype=np.float32)


def _softened(part: Floats, head: Head, temperature: float) -> Floats:
    if temperature == 1 or head.activation not in ("softmax", "sigmoid"):
        return part
    powers = np.power(part, 1 / temperature, dtype=np.float32)
    if head.activation == "softmax":
        found: Floats = powers / powers.sum(axis=0)
        return found
    others = np.power(1 - part, 1 / temperature, dtype=np.float32)
    found = powers / (powers + others)
    return found


@dataclass(frozen=True, kw_only=True)
class Evidence(LearntByFold):
    """What held-out cases say of temperatures.

    Parameters
    ----------
    cases : int
        That took part.
    losses : mapping of str to tuple of float
        By head, the negative log likelihood of all its voxels at each of
        `TEMPERATURES`.
    voxels : mapping of str to float
        By head, how many there are; of a sigmoid, times its channels.
    mistakes : mapping of str to float
        Of these, how many were decided wrongly.
    schema : int
        Version of the file's layout.
    """

    file = CALIBRATION
    otherwise = "its probabilities then are those of the network"

    cases: int = 0
    losses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    voxels: Mapping[str, float] = field(default_factory=dict)
    mistakes: Mapping[str, float] = field(default_factory=dict)

    def fault(self) -> str:
        wrong = [h for h, loss in self.losses.items() if len(loss) != STEPS + 1]
        return f"{STEPS + 1} losses of each head are wanted" if wrong else ""

    @classmethod
    def of_voxels(
        cls, logits: Floats, truth: NDArray[Any], weights: Floats, head: Head
    ) -> Evidence:
        """Return what the voxels of one case say of one head.

        Parameters
        ----------
        logits : ndarray of float, shape (V, C)
            Of a softmax, logarithms of its probabilities serve.
        truth : ndarray
            Of a softmax, the right channel of each voxel, integers (V,); of a sigmoid,
            1 and 0 for each channel, and NaN where nothing is known, (V, C).
        weights : ndarray of float, shape (V,)
            For how many voxels each stands.
        head : Head
            With a softmax or a sigmoid.
        """
        z = np.asarray(logits, np.float64)
        w = np.asarray(weights, np.float64)
        if head.activation == "softmax":
            right = z[np.arange(len(z)), truth.astype(np.int64)]
            apart = z - right[:, None]
            losses = [w @ _log_sum_exp(apart / t) for t in TEMPERATURES]
            wrong = w @ (z.argmax(axis=1) != truth)
            voxels = w.sum()
        else:
            known = np.isfinite(truth)
            signed = np.where(np.nan_to_num(truth) > 0.5, -z, z)
            every = w[:, None] * known
            losses = [(every * np.logaddexp(0, signed / t)).sum() for t in TEMPERATURES]
            wrong = (every * (signed > 0)).sum()
            voxels = every.sum()
        return cls(
            cases=1,
            losses={head.name: tuple(float(loss) for loss in losses)},
            voxels={head.name: float(voxels)},
            mistakes={head.name: float(wrong)},
        )

    def without(self, one: Evidence) -> Evidence:
        """Return what is left without one of those that it was put together of."""
        return together([self, one._negative])

    @property
    def _negative(self) -> Evidence:
        return Evidence(
            cases=-self.cases,
            losses={h: tuple(-x for x in loss) for h, loss in self.losses.items()},
            voxels={h: -number for h, number in self.voxels.items()},
            mistakes={h: -number for h, number in self.mistakes.items()},
        )

    def calibration(self) -> Calibration | None:
        """Return the likeliest temperatures; None where nothing can be said."""
        found = {
            head: _lowest(np.asarray(loss, np.float64))
            for head, loss in self.losses.items()
            if self.mistakes.get(head, 0) >= FEWEST_MISTAKES
        }
        return Calibration(temperatures=found) if found else None

    def text(self) -> str:
        """Return a sentence for each head, for people; empty if nothing was learnt."""
        known = self.calibration()
        lines = []
        for head, t in (known.temperatures if known else {}).items():
            loss = np.asarray(self.losses[head]) / self.voxels[head]
            after = float(np.interp(np.log(t), np.log(TEMPERATURES), loss))
            how = "too sure" if t > 1 else "not sure enough"
            lines.append(
                f"Probabilities ({head}) were {how}: temperature {t:.3g}, negative log "
                f"likelihood {loss[ONE]:.4g} before, {after:.4g} with it."
            )
        return "\n".join(lines)


def _log_sum_exp(values: Floats) -> Floats:
    most = values.max(axis=1)
    found: Floats = most + np.log(np.exp(values - most[:, None]).sum(axis=1))
    return found


def _lowest(loss: Floats) -> float:
    """Return the temperature of the least loss, between those that were tried."""
    place = int(np.argmin(loss))
    logs = np.log(TEMPERATURES)
    if place in (0, STEPS):
        return float(TEMPERATURES[place])
    below, here, above = loss[place - 1 : place + 2]
    bend = below - 2 * here + above
    shift = 0.5 * (below - above) / bend if bend > 0 else 0.0
    return float(np.exp(logs[place] + shift * (logs[1] - logs[0])))


def together(evidence: Iterable[Evidence]) -> Evidence:
    """Return what several cases, or folds, say together."""
    every = list(evidence)
    heads = dict.fromkeys(head for one in every for head in one.losses)
    zeros = np.zeros(STEPS + 1)
    return Evidence(
        cases=sum(one.cases for one in every),
        losses={
            h: tuple(
                sum((np.asarray(e.losses.get(h, zeros)) for e in every), zeros).tolist()
            )
            for h in heads
        },
        voxels={h: sum(one.voxels.get(h, 0.0) for one in every) for h in heads},
        mistakes={h: sum(one.mistakes.get(h, 0.0) for one in every) for h in heads},
    )


def load_calibration(model: Path, folds: Sequence[str]) -> Calibration | None:
    """Return what the validations of some folds say together.

    Parameters
    ----------
    model : Path
        Folder of a trained configuration.
    folds : sequence of str
        Names of folds; those that have learnt nothing are left out.

    Raises
    ------
    ModelError
        If a file is damaged.
    """
    return of_folds(Evidence, model, folds, lambda e: together(e).calibration())


class Reservoir:
    """A random sample of all voxels that are put into it, of a size that is known.

    Parameters
    ----------
    size : int
        Voxels that are kept at most.
    rng : numpy.random.Generator
        Draws.
    """

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self.size, self.count = size, 0
        self._rng = rng
        self._keys: Floats = np.zeros(0)
        self._rows: tuple[NDArray[Any], ...] = ()

    def put(self, *rows: NDArray[Any]) -> None:
        """Take arrays with a row for each of some voxels.

        Each voxel draws a number, and those with the lowest of all stay.
        """
        number = len(rows[0])
        self.count += number
        keys = self._rng.random(number)
        limit = self._keys.max() if len(self._keys) == self.size else np.inf
        chosen = keys < limit
        if not chosen.any() and self._rows:
            return
        keys = np.concatenate([self._keys, keys[chosen]])
        new = tuple(row[chosen] for row in rows)
        if self._rows:
            pairs = zip(self._rows, new, strict=True)
            new = tuple(np.concatenate(pair) for pair in pairs)
        if len(keys) > self.size:
            stay = np.sort(np.argpartition(keys, self.size)[: self.size])
            keys, new = keys[stay], tuple(row[stay] for row in new)
        self._keys, self._rows = keys, new

    def rows(self) -> tuple[NDArray[Any], ...]:
        """Return the sample and, last, how many voxels each stands for."""
        weight = self.count / max(1, len(self._keys))
        return *self._rows, np.full(len(self._keys), weight, np.float32)
