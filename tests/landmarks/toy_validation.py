"""Predictions of points whose errors are as large as they say."""

import numpy as np

from autoseg.spec.points import ABSENT, PRESENT, Points

NAMES = ("tip", "root", "end", "left", "right", "top")
SPACING = (2.0, 0.5)
ALWAYS = (0.0,) * 6


def validation(count, seed=0, absent=0.0):
    """Return cases whose errors are as large as the covariance says."""
    rng = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        truth = np.arange(12.0).reshape(6, 2) ** 2 + rng.normal(0, 5, 2)
        missing = rng.random(6) < absent
        sd = rng.uniform(0.5, 4, 6)  # in the unit of the spacing, along each axis
        apart = sd[:, None] * rng.normal(size=(6, 2)) / SPACING
        score = np.where(missing, rng.beta(2, 5, 6), rng.beta(8, 2, 6))
        reference = Points(NAMES, truth, np.where(missing, ABSENT, PRESENT))
        details = {
            "score": score,
            "covariance": sd[:, None, None] ** 2 * np.eye(2),
            "peak": truth + apart,
        }
        predicted = Points(NAMES, truth + apart, np.full(6, PRESENT), details)
        cases.append((f"case_{number}", predicted, reference, SPACING))
    return cases
