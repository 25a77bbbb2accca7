"""Maps of ids for tests of representations, made by construction."""

import numpy as np


def cells(shape=(48, 56), edge=8):
    """Squares side by side that touch, each with an id of its own."""
    grid = np.indices(shape) // edge
    labels = grid[0] * 100 + grid[1] + 1
    hollow = (grid.sum(0) % 3) == 2  # every third is background
    return np.where(hollow, 0, labels).astype(np.int32)


def balls(shape, spacing, radius, centers):
    """Balls in units of length; where two meet, a voxel belongs to the nearer one."""
    places = np.indices(shape).reshape(len(shape), -1).T * np.asarray(spacing)
    away = np.stack([np.linalg.norm(places - c, axis=1) for c in centers])
    nearest = away.argmin(0)
    labels = np.where(away.min(0) <= radius, nearest + 1, 0)
    return labels.reshape(shape).astype(np.int32)


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


def same_objects(found, wanted, threshold=0.9):
    """Whether each object is found once, with an IoU over the threshold."""
    found_ids, wanted_ids = np.unique(found[found > 0]), np.unique(wanted[wanted > 0])
    if len(found_ids) != len(wanted_ids):
        return False
    for number in wanted_ids:
        mask = wanted == number
        partners = np.unique(found[mask])
        ious = [
            (mask & (found == p)).sum() / (mask | (found == p)).sum()
            for p in partners
            if p > 0
        ]
        if not ious or max(ious) <= threshold:
            return False
    return True


def lopsided(axes: int) -> np.ndarray:
    """Return two boxes of odd edges, so that no middle is a tie, off the center."""
    labels = np.zeros((19, 23, 21)[:axes], np.int32)
    labels[(slice(2, 9), slice(3, 14), slice(4, 13))[:axes]] = 1
    labels[(slice(10, 17), slice(6, 21), slice(5, 16))[:axes]] = 2
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
