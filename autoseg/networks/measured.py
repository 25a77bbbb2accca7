"""What a network that is written in torch needs: measured, since nobody declares it.

The network is run without numbers (`autoseg.networks._trial`) on images of some shapes,
and what autograd keeps is fitted by polynomials of the edges. `remembered_in` keeps the
results in a file, so that planning again measures nothing.

Legend: C channels, K channels of all heads, S spatial shape, D number of axes.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autoseg.errors import PlanError
from autoseg.networks import NETWORKS
from autoseg.spec.json import dumps, from_json, load_object, to_json, write_text

if TYPE_CHECKING:
    from autoseg.networks._trial import Trial, Trials

logger = logging.getLogger(__name__)

TRIED = (64, 96, 128, 48, 32, 80, 112, 160, 192, 224, 256, 100, 120)  # edges
MOST_STEP = 64  # edges that must be multiples of more are not looked for
UP_TO = {2: 1024, 3: 256}  # edges that are fitted; a patch has hardly more
FEW = 5  # shapes are measured first, and more where a simple fit does not do
EXACT = 0.005  # relative error up to which a fit is taken


class Unmeasurable(PlanError):
    """Torch cannot run the network without numbers, or no rule fits what it needs."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What a network needs, as polynomials of the edges of an image.

    Parameters
    ----------
    parameters : int
        Learned numbers.
    divisor, least : tuple of int, length D
        What each edge must be a multiple of, and at least.
    shape : tuple of int, length D, or None
        It was measured on this one shape, and for no other.
    levels : tuple of float
        Voxels of each output, as parts of the image's; finest first.
    terms : tuple of tuple of int
        Powers of the edges, for each term.
    saved, multiply_adds, largest : tuple of float
        Factors of the terms: bytes that autograd keeps for a sample, operations of the
        forward pass, elements of the largest tensor that is kept.
    fixed : float
        Bytes that autograd keeps whatever the batch is.
    """

    parameters: int
    divisor: tuple[int, ...]
    least: tuple[int, ...]
    shape: tuple[int, ...] | None
    levels: tuple[float, ...]
    terms: tuple[tuple[int, ...], ...]
    saved: tuple[float, ...]
    multiply_adds: tuple[float, ...]
    largest: tuple[float, ...]
    fixed: float

    def at(self, what: str, shape: Sequence[int]) -> float:
        """Return one of the three polynomials at a shape, for one sample."""
        factors = getattr(self, what)
        powers = _powers([shape], self.terms)[0]
        return max(0.0, float(np.dot(powers, factors)))


_FILE: ContextVar[Path | None] = ContextVar("file of measured networks", default=None)
_KNOWN: dict[str, Measured] = {}


@contextmanager
def remembered_in(file: Path) -> Iterator[None]:
    """Read what was measured from a file, and add to it what is measured meanwhile."""
    before = _FILE.set(file)
    try:
        yield
    finally:
        _FILE.reset(before)


def measure(
    name: str,
    options: Mapping[str, Any],
    dim: int,
    *,
    in_channels: int,
    outputs: int,
    precision: str = "fp32",
    deep: bool = True,
    shape: Sequence[int] | None = None,
) -> Measured:
    """Return what a network needs.

    Parameters
    ----------
    name : str
        A network that is written in torch.
    options : mapping
        Of the plan.
    dim : int
        D.
    in_channels, outputs : int
        C and K.
    precision : str
        Of the feature maps.
    deep : bool
        All levels have outputs.
    shape : sequence of int, optional
        Measure on this shape alone.

    Returns
    -------
    Measured
        Known already, or measured now, which takes torch and a second or two.

    Raises
    ------
    PlanError
        If the network cannot be made, or takes no image that was tried.
    Unmeasurable
        If it may well work, and nobody can say what it needs.
    """
    kind: Any = NETWORKS[name]
    if getattr(kind, "fixed_shape", False) and shape is None:
        raise PlanError(
            f"{name} works on images of one shape only: say which, with "
            "--set patch_size=..."
        )
    asked = {
        "options": dict(options),
        "dim": dim,
        "channels": [in_channels, outputs],
        "precision": precision,
        "deep": deep,
        "shape": None if shape is None else list(shape),
    }
    key = _key(name, kind, asked)
    found = _KNOWN.get(key) or _recall(key)
    if found is None:
        logger.info(
            "%s is written in torch, so torch runs it in %d-D to see what it needs.",
            name,
            dim,
        )
        found = _measured(name, kind, asked)
        _remember(key, found)
    _KNOWN[key] = found
    return found


def _key(name: str, kind: Any, asked: Mapping[str, Any]) -> str:
    """Return what a measurement hangs on: the source, the question, and torch."""
    from importlib.metadata import version

    try:
        source = inspect.getsource(inspect.getmodule(kind) or kind)
    except (OSError, TypeError):
        source = repr(kind)
    called = getattr(kind, "__qualname__", "")  # a file may hold several
    text = json.dumps([name, called, source, version("torch"), asked], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _recall(key: str) -> Measured | None:
    file = _FILE.get()
    if file is None or not file.is_file():
        return None
    entry = load_object(file).get(key)
    if not isinstance(entry, dict):
        return None
    return from_json(Measured, entry, f"{file}: {key}")


def _remember(key: str, found: Measured) -> None:
    file = _FILE.get()
    if file is None:
        return
    there = load_object(file) if file.is_file() else {}
    write_text(file, dumps({**there, key: to_json(found)}))


# Measuring --------------------------------------------------------------------------


def _measured(name: str, kind: Any, asked: Mapping[str, Any]) -> Measured:
    from autoseg.networks._trial import Trials

    def make(channels: int, heads: Mapping[str, int], deep: bool) -> Any:
        return kind(channels, heads, deep, **asked["options"])

    channels, outputs = asked["channels"]
    try:
        trials = Trials(make, channels, outputs, asked["deep"], asked["precision"])
    except Exception as error:  # foreign code may raise anything
        raise PlanError(f"{name} cannot be made: {error}.") from error
    if asked["shape"] is not None:
        shapes = [tuple(asked["shape"])]
        fault = trials.fault(shapes[0])
        if fault is not None:
            raise PlanError(f"{name} cannot take an image of {shapes[0]}: {fault}.")
        step = least = shapes[0]
    else:
        step = _divisor(name, kind, asked, trials)
        least = _least(name, trials, step)
        shapes = _samples(step, least)
    return _fitted(name, trials, shapes, step, least, asked["shape"] is not None)


def _divisor(
    name: str, kind: Any, asked: Mapping[str, Any], trials: Trials
) -> tuple[int, ...]:
    """Return what each edge must be a multiple of: as the network says, or by trying.

    Raises
    ------
    PlanError
        If no image works that was tried.
    """
    said = getattr(kind, "divisor", None)
    found = said(asked["options"]) if callable(said) else None
    if found is not None:
        return tuple(int(n) for n in found)
    dim = asked["dim"]
    for base in TRIED:
        if trials.fault((base,) * dim) is None:
            return tuple(_step(name, trials, base, axis, dim) for axis in range(dim))
    fault = trials.fault((TRIED[0],) * dim) or ""
    if "meta" in fault:
        raise Unmeasurable(f"it cannot be run without numbers: {fault}")
    raise PlanError(
        f"{name} takes none of the images that were tried, with edges of "
        f"{', '.join(map(str, sorted(TRIED)))}. At {TRIED[0]}: {fault}. Let its class "
        "say `divisor(options)`, what edges must be multiples of, or `fixed_shape = "
        "True` if it works on one shape only."
    )


def _step(name: str, trials: Trials, base: int, axis: int, dim: int) -> int:
    """Return what one edge must be a multiple of."""
    for step in range(1, MOST_STEP + 1):
        longer = (base + step, base + 2 * step, base + 3 * step)
        if base % step == 0 and all(
            trials.fault(_with(base, axis, edge, dim)) is None for edge in longer
        ):
            return step
    raise PlanError(
        f"{name} takes images of {base} voxels along axis {axis}, and none of a little "
        "more. If it works on one shape only, let its class say `fixed_shape = True`, "
        "and give --set patch_size=...; else `divisor(options)`."
    )


def _with(base: int, axis: int, edge: int, dim: int) -> tuple[int, ...]:
    return tuple(edge if a == axis else base for a in range(dim))


def _least(name: str, trials: Trials, step: tuple[int, ...]) -> tuple[int, ...]:
    """Return the smallest image that can be taken, all axes at once."""
    fault: str | None = ""
    for times in range(1, 65):
        shape = tuple(edge * times for edge in step)
        fault = trials.fault(shape)
        if fault is None:
            return shape
    raise PlanError(
        f"{name} takes no image whose edges are multiples of {step}, up to {shape}: "
        f"{fault}."
    )


def _samples(step: tuple[int, ...], least: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the shapes to measure: few, unlike, and up to the largest patches."""
    dim = len(step)
    axes = []
    for s, low in zip(step, least, strict=True):
        high = max(UP_TO[dim], 4 * low)
        wanted = (low, math.sqrt(low * high), high)
        axes.append([low + round((edge - low) / s) * s for edge in wanted])
    corners = list(itertools.product(range(3), repeat=dim))
    if dim == 3:  # half of them determine everything that is fitted
        corners = [c for c in corners if sum(c) % 2 == 0]
    # Those that tell most come first: what grows with the volume alone needs no more.
    corners.sort(key=lambda c: (len(set(c)) > 1, -max(c)))
    return [tuple(axes[a][i] for a, i in enumerate(c)) for c in corners]


def _bases(dim: int) -> list[tuple[tuple[int, ...], ...]]:
    """Return sets of terms, the simplest first.

    Feature maps are in proportion to the volume; where edges are cut or padded, to
    products of edges, too; attention over all tokens, to the square of the volume, and
    along one axis, to the volume times its edge.
    """
    one, volume = (0,) * dim, (1,) * dim
    products = tuple(itertools.product((0, 1), repeat=dim))
    square = (2,) * dim
    along = tuple(tuple(1 + (a == axis) for a in range(dim)) for axis in range(dim))
    return [
        (one, volume),
        (one, volume, square),
        products,
        (*products, square),
        (*products, square, *along),
    ]


def _powers(
    shapes: Sequence[Sequence[int]], terms: Sequence[Sequence[int]]
) -> np.ndarray[Any, Any]:
    edges = np.asarray(shapes, dtype=float)
    powers = np.asarray(terms, dtype=float)
    return np.asarray(np.prod(edges[:, None, :] ** powers[None], axis=2))


def _fitted(
    name: str,
    trials: Trials,
    shapes: list[tuple[int, ...]],
    step: tuple[int, ...],
    least: tuple[int, ...],
    alone: bool,
) -> Measured:
    dim = len(step)
    smallest = min(shapes, key=math.prod)
    one, two = _run(trials, smallest, 1), _run(trials, smallest, 2)
    fixed = max(0, 2 * one.saved - two.saved)
    bases = [((0,) * dim,)] if alone else _bases(dim)
    found: list[Trial] = []
    for count in (FEW, len(shapes)):
        # In pairs, since batch norm wants more than one value of each channel.
        found += [_run(trials, shape, 2) for shape in shapes[len(found) : count]]
        curves = {
            "saved": [(trial.saved - fixed) / 2 for trial in found],
            "multiply_adds": [trial.multiply_adds / 2 for trial in found],
            "largest": [trial.largest / 2 for trial in found],
        }
        known = [terms for terms in bases if len(terms) < count or alone]
        fit, error = _fit(shapes[: len(found)], curves, known)
        if error < EXACT:
            break
    else:
        raise Unmeasurable(
            "what it keeps follows the size of images by no rule that is known: a fit "
            f"is wrong by {error:.0%}"
        )
    voxels = math.prod(shapes[0])
    return Measured(
        parameters=trials.parameters,
        divisor=step,
        least=least,
        shape=shapes[0] if alone else None,
        levels=tuple(math.prod(level) / voxels for level in found[0].levels),
        fixed=float(fixed),
        **fit,
    )


def _run(trials: Trials, shape: tuple[int, ...], batch: int) -> Trial:
    try:
        return trials.run(shape, batch)
    except Exception as error:  # foreign code may raise anything
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise Unmeasurable(f"it cannot be run without numbers: {reason}") from error


def _fit(
    shapes: Sequence[tuple[int, ...]],
    curves: Mapping[str, Sequence[float]],
    bases: Sequence[tuple[tuple[int, ...], ...]],
) -> tuple[dict[str, Any], float]:
    """Return the simplest terms that give what was measured, factors and error."""
    worst, fit = math.inf, {}
    for terms in bases:
        powers = _powers(shapes, terms)
        found: dict[str, Any] = {"terms": terms}
        errors = []
        for what, values in curves.items():
            wanted = np.maximum(np.asarray(values, dtype=float), 1.0)
            rows = powers / wanted[:, None]  # every shape counts the same
            size = np.linalg.norm(rows, axis=0)
            solved = np.linalg.lstsq(rows / size, np.ones(len(rows)), rcond=None)[0]
            found[what] = tuple((solved / size).tolist())
            if what != "largest":  # which tensor that is may change with the shape
                errors.append(float(np.abs(rows @ (solved / size) - 1).max()))
        if max(errors) < worst:
            worst, fit = max(errors), found
        if worst < EXACT:
            break
    return fit, worst
