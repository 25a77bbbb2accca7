"""Network outputs, grids and rules to resample them by."""

import numpy as np

from autoseg.spec.configuration import Resampling

CUBE = (1.0, 1.0, 1.0)
GRIDS = [
    ((10, 14, 12), (15, 11, 25), CUBE, (0.7, 1.3, 0.5)),
    ((6, 16, 12), (11, 12, 16), (8.0, 1.5, 1.5), (5.0, 1.9, 1.2)),  # thick, grows
    ((11, 12, 16), (6, 16, 12), (5.0, 1.9, 1.2), (8.0, 1.5, 1.5)),  # shrinks
    ((14, 5, 12), (11, 9, 13), (1.0, 7.0, 1.0), (1.2, 3.0, 0.9)),  # second axis
    ((12, 14, 9), (12, 14, 9), CUBE, CUBE),
    ((13, 17), (20, 11), (1.0, 1.0), (0.7, 1.5)),
    ((1, 3, 1), (4, 2, 1), CUBE, (0.25, 1.5, 1.0)),
]
RULES = [
    Resampling(),
    Resampling(method="linear"),
    Resampling(output_order=0),
    Resampling(thick_order=1),
]
PAINTED = (3, 1, 2, 5, 4)


def logits_of(shape, kind):
    values = np.random.default_rng(0).normal(size=(5, *shape), scale=4)
    return values.astype(kind)


def decided(outputs, painted):
    """What NumPy decides from all heads at once."""
    if painted is None:
        return outputs.argmax(axis=0)
    labels = np.zeros(outputs.shape[1:], dtype=int)
    for head, value in zip(outputs, painted, strict=True):
        labels[1 / (1 + np.exp(-head.astype(np.float64))) > 0.5] = value
    return labels
