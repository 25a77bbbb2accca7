"""From the window around a heatmap's peak to a point between the voxels.

A window is what `PeakKeeper` keeps of one landmark: odd edges, the highest voxel in
the middle, NaN where there is no image. All functions take the windows of all
landmarks at once, as heat: values of 0 and more in which the target is a Gaussian. Of
logits z that is exp(z - max z); of a sigmoid it is the probability.

How exact each one is stands in docs/benchmarks.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.errors import UsageError

Array = NDArray[np.float64]

TEMPERATURE = 10.0  # of the local soft-argmax; landmarker 0.4.1's default
DARK_BLUR = 1.0  # voxels; smooths before derivatives are taken
FIT_REACH = 1.25  # sigmas to each side: what is best under noise in the benchmark
WORST_CONDITION = 1e10  # of normal equations that are solved in double precision
FAINTEST = 1e-12  # of the peak: what a logarithm is taken of at least
WIDEST = 4.0  # sigmas: a fitted Gaussian that is wider is no peak


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Where the points are in their windows.

    Parameters
    ----------
    offset : ndarray of float64, shape (L, D)
        From the middle of the window, in voxels.
    covariance : ndarray of float64, shape (L, D, D)
        Of the heat around the peak, in square voxels: what the heatmap says about how
        sure it is. For methods that fit no Gaussian, that of a Gaussian target.
    fitted : ndarray of bool, shape (L,)
        False where the method did not apply and another one stood in.
    """

    offset: Array
    covariance: Array
    fitted: NDArray[np.bool_]


def decode(
    heat: NDArray[Any], sigma: Sequence[float], method: str = "log_quadratic"
) -> Fit:
    """Find the points in windows of heat.

    Parameters
    ----------
    heat : ndarray of float, shape (L, *W)
        A window for each landmark; edges odd, the peak in the middle, NaN outside of
        the image. A window has to reach `reach` voxels to each side.
    sigma : sequence of float, length D
        Standard deviation of the Gaussian target along each axis, in voxels.
    method : str
        A key of `DECODERS`.

    Returns
    -------
    Fit
        Offsets and covariances.

    Raises
    ------
    UsageError
        If the method is unknown or the windows have another shape.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.arange(-4, 5)
    >>> heat = np.exp(-0.5 * ((x[:, None] - 0.3) ** 2 + (x + 0.2) ** 2) / 1.5**2)
    >>> decode(heat[None], (1.5, 1.5)).offset.round(6).tolist()
    [[0.3, -0.2]]
    """
    if method not in DECODERS:
        raise UsageError(
            f"no decoder is called {method!r}; there are: {', '.join(DECODERS)}."
        )
    windows = np.asarray(heat, dtype=np.float64)
    if windows.ndim != len(sigma) + 1 or any(n % 2 == 0 for n in windows.shape[1:]):
        raise UsageError(
            f"windows of shape {windows.shape} and a sigma of {len(sigma)} axes; give "
            "one window with odd edges for each landmark."
        )
    highest = windows[(slice(None), *(n // 2 for n in windows.shape[1:]))]
    scale = np.where(np.isfinite(highest) & (highest > 0), highest, 1.0)
    windows = windows / _to(scale, windows.ndim)
    return DECODERS[method](windows, np.asarray(sigma, dtype=np.float64))


def reach(sigma: Sequence[float]) -> tuple[int, ...]:
    """Return how far windows have to reach from the peak, for any method, in voxels.

    Parameters
    ----------
    sigma : sequence of float, length D
        Standard deviation of the target along each axis, in voxels.

    Returns
    -------
    tuple of int, length D
        Two sigmas, at least 2.
    """
    return tuple(max(2, _round(2 * s)) for s in sigma)


def argmax(heat: Array, sigma: Array) -> Fit:
    """Take the highest voxel, as nnLandmark does."""
    offset = np.zeros((len(heat), len(sigma)))
    return Fit(
        offset=offset,
        covariance=_of_target(heat, sigma),
        fitted=np.ones(len(heat), dtype=bool),
    )


def center_of_mass(heat: Array, sigma: Array, power: float = 2.0) -> Fit:
    """Take the mean position within two sigmas, weighted by a power of the heat.

    Squares keep what is far and faint out; of any target that is symmetric, a distance
    cone for one, the center is found.
    """
    cut = _cut(heat, reach(sigma.tolist()))
    weights = np.nan_to_num(np.clip(cut, 0, None)) ** power
    return _mean(weights, heat, sigma)


def local_soft_argmax(heat: Array, sigma: Array) -> Fit:
    """Take the mean position within two sigmas, weighted by a softmax of the heat."""
    cut = _cut(heat, reach(sigma.tolist()))
    return _mean(np.nan_to_num(np.exp(TEMPERATURE * (cut - 1))), heat, sigma)


def dark(heat: Array, sigma: Array) -> Fit:
    """Take one Newton step on the logarithm of the blurred heat, within the window.

    Distribution-aware coordinate representation, Zhang et al., CVPR 2020,
    doi:10.1109/CVPR42600.2020.00712. The step is left out where the logarithm is not
    concave, and ends at one voxel: farther away the Taylor series means nothing.
    """
    from scipy.ndimage import gaussian_filter1d  # planning does without SciPy

    smooth = np.nan_to_num(np.clip(heat, 0, None))
    for axis in range(1, heat.ndim):
        smooth = gaussian_filter1d(smooth, DARK_BLUR, axis=axis, mode="nearest")
    logs = np.log(np.maximum(_cut(smooth, (1,) * len(sigma)), FAINTEST))
    slope, curvature = _derivatives(logs)
    fitted = _concave(curvature, sigma)
    step = np.zeros_like(slope)
    step[fitted] = np.linalg.solve(curvature[fitted], -slope[fitted][..., None])[..., 0]
    covariance = _of_target(heat, sigma)
    covariance[fitted] = -np.linalg.inv(curvature[fitted])
    return Fit(offset=np.clip(step, -1, 1), covariance=covariance, fitted=fitted)


def log_quadratic(heat: Array, sigma: Array) -> Fit:
    """Fit a Gaussian to the heat around its peak; the default.

    The logarithm of a Gaussian is a quadratic polynomial: a linear fit finds center and
    covariance at once. Its weights are the squares of the heat, by which an error of
    the heat counts the same everywhere. Where the polynomial has no peak in the window,
    `local_soft_argmax` stands in.
    """
    radius = [max(1, _round(FIT_REACH * s)) for s in sigma]
    cut = _cut(heat, radius)
    grid = _grid(radius)
    inside = np.isfinite(cut) & (cut > FAINTEST)
    weights = np.where(inside, cut, 0.0) ** 2
    logs = np.where(inside, np.log(np.where(inside, cut, 1.0)), 0.0)
    flat = weights.reshape(len(cut), -1)
    terms, pairs = _polynomial(grid / radius)
    normal = np.einsum("lv,vi,vj->lij", flat, terms, terms, optimize=True)
    right = (flat * logs.reshape(len(cut), -1)) @ terms
    solvable = np.linalg.cond(normal) < WORST_CONDITION
    identity = np.eye(terms.shape[1])
    normal[~solvable] = identity
    solved = np.linalg.solve(normal, right[..., None])[..., 0]
    dim = len(sigma)
    slope = solved[:, 1 : 1 + dim] / radius
    curvature = np.zeros((len(cut), dim, dim))
    for column, (i, j) in enumerate(pairs, start=1 + dim):
        curvature[:, i, j] += solved[:, column] / (radius[i] * radius[j])
        curvature[:, j, i] += solved[:, column] / (radius[i] * radius[j])
    fitted = solvable & _concave(curvature, sigma)
    instead = local_soft_argmax(heat, sigma)
    offset, covariance = instead.offset, instead.covariance
    covariance[fitted] = -np.linalg.inv(curvature[fitted])
    offset[fitted] = np.einsum("lij,lj->li", covariance[fitted], slope[fitted])
    return Fit(
        offset=np.clip(offset, -np.asarray(radius), radius),
        covariance=covariance,
        fitted=fitted,
    )


DECODERS: dict[str, Callable[[Array, Array], Fit]] = {
    "log_quadratic": log_quadratic,
    "argmax": argmax,
    "local_soft_argmax": local_soft_argmax,
    "center_of_mass": center_of_mass,
    "dark": dark,
}


def _round(value: float) -> int:
    return int(np.floor(value + 0.5))


def _to(values: NDArray[Any], ndim: int) -> NDArray[Any]:
    return values.reshape(values.shape + (1,) * (ndim - values.ndim))


def _cut(windows: Array, radius: Sequence[int]) -> Array:
    """Return the middle of windows, `radius` to each side or what there is of it."""
    inner: list[slice] = [slice(None)]
    for length, r in zip(windows.shape[1:], radius, strict=True):
        wanted = min(r, length // 2)
        inner.append(slice(length // 2 - wanted, length // 2 + wanted + 1))
        if wanted < r:
            raise UsageError(
                f"windows of shape {windows.shape[1:]} reach less than {tuple(radius)} "
                "voxels from the peak; cut them as wide as `reach` says."
            )
    return windows[tuple(inner)]


def _grid(radius: Sequence[int]) -> Array:
    """Return the offsets of a window's voxels: (voxels, D)."""
    axes = [np.arange(-r, r + 1, dtype=np.float64) for r in radius]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))


def _polynomial(grid: Array) -> tuple[Array, list[tuple[int, int]]]:
    """Return the terms 1, x_i, x_i x_j of each voxel, and (i, j) of the last ones."""
    dim = grid.shape[1]
    pairs = list(itertools.combinations_with_replacement(range(dim), 2))
    products = [grid[:, i] * grid[:, j] for i, j in pairs]
    terms = np.stack([np.ones(len(grid)), *grid.T, *products], axis=1)
    return terms, pairs


def _mean(weights: Array, heat: Array, sigma: Array) -> Fit:
    """Return the weighted mean position; the peak where all weights are 0."""
    radius = [n // 2 for n in weights.shape[1:]]
    flat = weights.reshape(len(weights), -1)
    total = flat.sum(axis=1)
    fitted = total > 0
    offset = (flat @ _grid(radius)) / np.where(fitted, total, 1.0)[:, None]
    return Fit(offset=offset, covariance=_of_target(heat, sigma), fitted=fitted)


def _of_target(heat: Array, sigma: Array) -> Array:
    return np.tile(np.diag(sigma**2), (len(heat), 1, 1))


def _concave(curvature: Array, sigma: Array) -> NDArray[np.bool_]:
    """Say whose curvature is that of a peak, and no wider than a few sigmas."""
    scaled = curvature * sigma[:, None] * sigma
    finite = np.all(np.isfinite(scaled), axis=(1, 2))
    scaled = np.where(_to(finite, 3), scaled, 0.0)
    largest = np.linalg.eigvalsh(scaled)[:, -1]
    return np.asarray(finite & (largest < -1 / WIDEST**2))


def _derivatives(logs: Array) -> tuple[Array, Array]:
    """Return slopes (L, D) and curvatures (L, D, D) in the middle, by differences."""
    dim = logs.ndim - 1

    def at(*steps: int) -> Array:
        place: tuple[Any, ...] = (slice(None), *(1 + step for step in steps))
        result: Array = logs[place]
        return result

    unit = np.eye(dim, dtype=int)
    slope = np.stack([(at(*u) - at(*-u)) / 2 for u in unit], axis=1)
    curvature = np.empty((len(logs), dim, dim))
    for i, j in itertools.product(range(dim), repeat=2):
        if i == j:
            curvature[:, i, i] = at(*unit[i]) - 2 * at(*0 * unit[i]) + at(*-unit[i])
        else:
            plus, minus = unit[i] + unit[j], unit[i] - unit[j]
            ends = at(*plus) + at(*-plus) - at(*minus) - at(*-minus)
            curvature[:, i, j] = ends / 4
    return slope, curvature
