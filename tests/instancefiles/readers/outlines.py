"""Which pixels a polygon has, by matplotlib's paths: those whose middles are inside."""

import numpy as np
from matplotlib.path import Path


def inside(ring, shape):
    """Return the pixels inside one ring of (x, y), the first pixel being 0 to 1."""
    rows, columns = np.indices(shape)
    middles = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
    closed = Path([*ring, ring[0]])
    return closed.contains_points(middles).reshape(shape)


def blob(middle, radius, corners=9, seed=0):
    """Return a ring that no pixel's middle lies on."""
    random = np.random.default_rng(seed)
    angles = np.sort(random.uniform(0, 2 * np.pi, corners))
    far = radius * random.uniform(0.6, 1, corners)
    x, y = middle[0] + far * np.cos(angles), middle[1] + far * np.sin(angles)
    return [(float(a) + 0.013, float(b) + 0.017) for a, b in zip(x, y, strict=True)]
