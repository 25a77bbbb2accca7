"""Maps of ids for tests of representations, made by construction."""

import numpy as np

from autoseg.testing.shapes import balls as balls
from autoseg.testing.shapes import cells as cells
from autoseg.testing.shapes import lopsided as lopsided
from autoseg.testing.shapes import same_objects as same_objects


def rods(seed=0, count=40, shape=(160, 160), width=7, length=60):
    """Bent rods, drawn one over the other: thin and not convex."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    places = np.indices(shape).reshape(2, -1).T
    for number in range(1, count + 1):
        at = rng.uniform(20, np.array(shape) - 20)
        angle, bend = rng.uniform(0, 2 * np.pi), rng.uniform(-0.06, 0.06)
        path = [at]
        for _ in range(length):
            angle += bend
            path.append(path[-1] + [np.cos(angle), np.sin(angle)])
        away = np.min(
            [np.square(places - point).sum(1) for point in np.array(path)], axis=0
        )
        rod = (away <= (width / 2) ** 2).reshape(shape)
        near = (away <= (width / 2 + 1) ** 2).reshape(shape)
        ends = np.array(path)
        whole = (ends > width).all() and (ends < np.array(shape) - width).all()
        if whole and not labels[near].any():  # rods may come close, and do not cross
            labels[rod] = number
    return labels


def disturbed(outputs, heads, blur=1.0, noise=0.3, seed=0):
    """Maps as a network gives them: soft at borders, with noise over two voxels."""
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    found = {}
    for head in heads:
        maps = []
        for channel in outputs[head.name]:
            soft = ndimage.gaussian_filter(channel, blur)
            field = ndimage.gaussian_filter(rng.normal(size=soft.shape), 1.0)
            free = head.activation == "identity"
            size = channel.std() if free else 4 * soft * (1 - soft)
            soft = soft + noise * size * field / field.std()
            maps.append(soft if free else np.clip(soft, 0, 1))
        found[head.name] = np.stack(maps).astype(np.float32)
    return found
