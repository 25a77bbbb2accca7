"""Smooth random fields, places and simple shapes that phantoms are made from."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def grid(shape: tuple[int, ...], edges: tuple[float, ...]) -> Floats:
    """Return places in units of length from the middle, shape (D, *shape)."""
    axes = [
        (np.arange(count) - (count - 1) / 2) * edge
        for count, edge in zip(shape, edges, strict=True)
    ]
    return np.stack(np.meshgrid(*axes, indexing="ij"))


def wobble(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    edges: tuple[float, ...],
    strength: float,
) -> Floats:
    """Return a smooth random displacement in mm, of some standard deviation."""
    return np.stack([strength * smooth(rng, shape, edges, 36) for _ in range(3)])


def smooth(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    edges: tuple[float, ...],
    length: float,
) -> Floats:
    """Return a random field of mean 0 and deviation 1 that changes over ``length``.

    Random values on a coarse grid, with cubic splines between them, axis by axis.
    """
    from scipy.interpolate import CubicSpline

    field = rng.normal(
        size=[
            max(4, math.ceil(count * edge / length) + 3)
            for count, edge in zip(shape, edges, strict=True)
        ]
    )
    for count in shape:  # each turn interpolates the first axis and puts it last
        knots = len(field)
        splines = CubicSpline(np.arange(knots), np.eye(knots))
        rows = splines(np.linspace(0.5, knots - 1.5, count))
        field = np.moveaxis(np.tensordot(rows, field, axes=1), 0, -1)
    return np.asarray((field - field.mean()) / field.std())


def ball(places: Floats, center: tuple[float, ...], radii: tuple[float, ...]) -> Floats:
    """Return the distance from an ellipsoid's center in radii: inside, less than 1."""
    parts = [
        ((axis - middle) / radius) ** 2
        for axis, middle, radius in zip(places, center, radii, strict=True)
    ]
    result: Floats = np.sqrt(parts[0] + parts[1] + parts[2])
    return result
