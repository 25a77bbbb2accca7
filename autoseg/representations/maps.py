"""Maps of ids: what representations share.

Legend: S spatial shape, D axes, N instances.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.arrays.masks import Mask

Array = NDArray[Any]
Ids = NDArray[np.int32]

MOST_TABLE = 2**24  # ids up to this are looked up in a table
FAR_STEPS = 40  # voxels that a look for what is nearest goes along an axis


def numbered(labels: Array) -> tuple[Ids, int]:
    """Return a map with ids 1 to N in the order of the old ones, and N.

    Values of 0 and below become 0.
    """
    top = int(labels.max(initial=0))
    if 0 < top < MOST_TABLE:
        there = np.zeros(top + 1, bool)
        there[np.maximum(labels, 0).ravel()] = True
        there[0] = False
        table = np.cumsum(there, dtype=np.int32)
        table *= there
        return table[np.maximum(labels, 0)], int(there.sum())
    values, index = np.unique(np.maximum(labels, 0), return_inverse=True)
    shift = int(values[0] != 0) if len(values) else 0
    return (index.reshape(labels.shape) + shift).astype(np.int32), len(values) - 1 + (
        shift
    )


def in_order(labels: Array) -> tuple[Ids, Array]:
    """Return a map with ids 1 to N in the order in which they first occur.

    Returns
    -------
    labels : ndarray of int32, shape S
        The map.
    old : ndarray of int, shape (N,)
        The id that each new one had.
    """
    given = labels.ravel()
    labels, count = numbered(labels)
    flat = labels.ravel()
    first = np.full(count + 1, labels.size, np.int64)
    # Of several values that are written to one place the last one stays.
    first[flat[::-1]] = np.arange(labels.size - 1, -1, -1)
    order = np.argsort(first[1:], kind="stable")
    table = np.zeros(count + 1, np.int32)
    table[order + 1] = np.arange(1, count + 1)
    return table[labels], given[first[order + 1]]


def boxes(labels: Ids) -> list[tuple[slice, ...]]:
    """Return the bounding box of each id of a map that `numbered` made."""
    from scipy import ndimage

    return [box for box in ndimage.find_objects(labels) if box is not None]


def grown(box: Sequence[slice], shape: Sequence[int], by: int = 1) -> tuple[slice, ...]:
    """Return a box with a margin, as far as the array goes."""
    return tuple(
        slice(max(0, part.start - by), min(size, part.stop + by))
        for part, size in zip(box, shape, strict=True)
    )


def sizes(labels: Ids) -> Array:
    """Return how many voxels each id has, by id, background first."""
    return np.bincount(labels.ravel())


def without(labels: Ids, dropped: Array) -> Ids:
    """Return a map in which ids become background; ``dropped`` is bool by id."""
    table = np.arange(len(dropped), dtype=np.int32)
    table[dropped] = 0
    return table[labels]


def mean_inside(labels: Ids, values: Array) -> Array:
    """Return the mean of an array over each id, by id, background first."""
    count = np.maximum(sizes(labels), 1)
    total = np.bincount(labels.ravel(), weights=values.ravel(), minlength=len(count))
    mean: Array = total / count
    return mean


def depth(labels: Ids, spacing: Sequence[float]) -> NDArray[np.float32]:
    """Return each voxel's distance to the nearest voxel that is not its instance's.

    Parameters
    ----------
    labels : ndarray of int32, shape S
        A map that `numbered` made.
    spacing : sequence of float, length D
        Edge of a voxel.

    Returns
    -------
    ndarray of float32, shape S
        In units of length, 0 in the background. Beyond the array's edge an instance is
        taken to go on.
    """
    edges = [float(edge) for edge in spacing]
    whole = float(np.hypot.reduce(np.multiply(labels.shape, edges)))
    square = np.minimum(_along_first(labels) * np.float32(edges[0]), whole) ** 2
    square[labels <= 0] = 0
    for axis, edge in enumerate(edges[1:], 1):
        found = _nearer_along(labels, square, axis, edge)
        if found is None:
            return _depth_of_large(labels, edges, whole)
        square = found
    result: NDArray[np.float32] = np.sqrt(square)
    return result


def _along_first(labels: Ids) -> NDArray[np.float32]:
    """Return how many voxels it is along the first axis to another id, or inf."""
    place = np.arange(len(labels), dtype=np.float32)
    place = place.reshape(-1, *(1,) * (labels.ndim - 1))
    change = labels[1:] != labels[:-1]
    before = np.full(labels.shape, -np.inf, np.float32)
    np.copyto(before[1:], place[:-1], where=change)
    after = np.full(labels.shape, np.inf, np.float32)
    np.copyto(after[:-1], place[1:], where=change)
    np.maximum.accumulate(before, axis=0, out=before)
    after = np.minimum.accumulate(after[::-1], axis=0)[::-1]
    result: NDArray[np.float32] = np.minimum(place - before, after - place)
    return result


def _nearer_along(
    labels: Ids, square: Array, axis: int, edge: float
) -> NDArray[np.float32] | None:
    """Return squared distances after a look along one more axis; None: too far.

    The distance to a place of the same instance and on from there, or to that place if
    it is not the instance's. What lies behind the first of those is further away than
    it, so that nothing has to be tracked on the way.
    """
    best = square.copy()
    view, source = np.moveaxis(best, axis, 0), np.moveaxis(square, axis, 0)
    ids = np.moveaxis(labels, axis, 0)
    for step in range(1, len(ids)):
        apart = np.float32((step * edge) ** 2)
        if apart >= best.max():
            break
        if step > FAR_STEPS:
            return None
        same = ids[step:] == ids[:-step]
        ahead = source[step:] * same
        ahead += apart
        behind = source[:-step] * same
        behind += apart
        np.minimum(view[:-step], ahead, out=view[:-step])
        np.minimum(view[step:], behind, out=view[step:])
    return best


def _depth_of_large(
    labels: Ids, edges: Sequence[float], whole: float
) -> NDArray[np.float32]:
    """Return `depth`, instance by instance: better where they are many voxels deep."""
    from scipy import ndimage

    result = np.zeros(labels.shape, np.float32)
    for number, box in enumerate(boxes(labels), 1):
        wide = grown(box, labels.shape)
        mask = labels[wide] == number
        if mask.all():
            result[wide] = np.float32(whole)
            continue
        found = ndimage.distance_transform_edt(mask, sampling=edges)
        result[wide][mask] = found[mask]
    return result


def steps(axes: int, full: bool = True) -> Array:
    """Return the offsets to a voxel's neighbors, (N, D): all of them or those faces."""
    found = [s for s in itertools.product((-1, 0, 1), repeat=axes) if any(s)]
    if not full:
        found = [s for s in found if sum(map(abs, s)) == 1]
    return np.array(found)


def shifted(array: Array, offset: Sequence[int], fill: Any) -> Array:
    """Return the array moved so that each place holds its neighbor at an offset."""
    result = np.full_like(array, fill)
    here, there = [], []
    for step, size in zip(offset, array.shape, strict=True):
        here.append(slice(max(0, -step), min(size, size - step)))
        there.append(slice(max(0, step), min(size, size + step)))
    result[tuple(here)] = array[tuple(there)]
    return result


def touching(labels: Ids) -> NDArray[np.bool_]:
    """Return where a voxel has a face in common with another instance's voxel."""
    found = np.zeros(labels.shape, bool)
    for offset in steps(labels.ndim, full=False):
        other = shifted(labels, offset, 0)
        found |= (other > 0) & (other != labels)
    return found & (labels > 0)


def largest_pieces(labels: Ids, full: bool = True) -> NDArray[np.bool_]:
    """Return where the largest piece of each id is.

    Parameters
    ----------
    labels : ndarray of int32, shape S
        A map of small ids.
    full : bool
        Voxels that meet at a corner are one piece.
    """
    import cc3d

    connectivity: Any = {2: (4, 8), 3: (6, 26)}[labels.ndim][full]
    pieces = cc3d.connected_components(
        np.ascontiguousarray(labels), connectivity=connectivity
    )
    count = np.bincount(pieces.ravel())
    of = np.zeros(len(count), np.int32)
    of[pieces.ravel()] = labels.ravel()
    count[0] = 0
    order = np.argsort(count, kind="stable")
    largest = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    largest[of[order]] = order
    kept: NDArray[np.bool_] = (largest[of] == np.arange(len(count)))[pieces]
    return kept & (labels > 0)


def filled(labels: Ids, foreground: NDArray[np.bool_]) -> Ids:
    """Give foreground without id to the instance that it touches, step by step."""
    from skimage.segmentation import watershed

    if not (foreground & (labels == 0)).any():
        return labels
    level = np.zeros(labels.shape, np.uint8)
    result: Ids = watershed(level, labels, mask=foreground).astype(np.int32)
    return result


def connected(labels: Ids) -> Ids:
    """Keep the largest piece of each instance; give the others to a neighbor."""
    stray = (labels > 0) & ~largest_pieces(labels)
    return filled(np.where(stray, 0, labels), labels > 0)


def largest_piece(mask: Mask) -> Mask:
    """Return the largest of the pieces of a mask, which is not empty."""
    from scipy.ndimage import find_objects, label

    pieces, _ = label(mask.inside, np.ones((3,) * mask.inside.ndim))
    number = int(np.argmax(np.bincount(pieces.ravel())[1:]))
    box = find_objects(pieces)[number]
    start = tuple(low + part.start for low, part in zip(mask.start, box, strict=True))
    return Mask(start, pieces[box] == number + 1)
