"""The mutex watershed, on fragments that hold together anyway.

Legend: S spatial shape, E edges, F fragments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.representations.maps import Ids

Array = NDArray[Any]


def mutex_watershed(
    affinities: Array,
    offsets: Sequence[tuple[int, ...]],
    near: int,
    foreground: NDArray[np.bool_],
    bond: float,
) -> Ids:
    """Return instances from what attracts and what repels.

    Voxels that near affinities over ``bond`` join become fragments first. Then the
    fragments' edges are taken from the strongest on: one that attracts joins two groups
    unless they exclude each other; one that repels makes them exclude each other.

    Parameters
    ----------
    affinities : ndarray of float, shape (E, *S)
        Probability that a voxel is one instance with that at each offset.
    offsets : sequence of tuple of int
        E offsets, none negative.
    near : int
        The first so many attract, the others repel.
    foreground : ndarray of bool, shape S
        Other voxels belong to no instance.
    bond : float
        See above.

    Returns
    -------
    ndarray of int32, shape S
        Ids, 0 in the background.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    number = np.full(foreground.shape, -1, np.int64)
    number[foreground] = np.arange(int(foreground.sum()))
    count = int(foreground.sum())
    if not count:
        return np.zeros(foreground.shape, np.int32)
    edges = [
        _edges(number, affinity, offset)
        for affinity, offset in zip(affinities, offsets, strict=True)
    ]
    first, second, strength = (
        np.concatenate(parts) for parts in zip(*edges[:near], strict=True)
    )
    strong = strength > bond
    graph = coo_array(
        (np.ones(int(strong.sum()), np.int8), (first[strong], second[strong])),
        shape=(count, count),
    )
    fragments, fragment = connected_components(graph, directed=False)
    attracting = _between(fragment, first, second, strength)
    repelling = [np.zeros(0, np.int64)] * 2 + [np.zeros(0)]
    if len(edges) > near:
        first, second, strength = (
            np.concatenate(parts) for parts in zip(*edges[near:], strict=True)
        )
        repelling = list(_between(fragment, first, second, 1 - strength))
    group = _join(fragments, attracting, repelling)
    labels = np.zeros(foreground.shape, np.int32)
    labels[foreground] = group[fragment] + 1
    return labels


def _edges(
    number: Array, affinity: Array, offset: tuple[int, ...]
) -> tuple[Array, ...]:
    """Return both ends of all edges along an offset inside, and their affinity."""
    low = tuple(
        slice(0, max(0, n - o)) for o, n in zip(offset, number.shape, strict=True)
    )
    high = tuple(slice(o, None) for o in offset)
    first, second = number[low], number[high]
    inside = (first >= 0) & (second >= 0)
    return first[inside], second[inside], affinity[low][inside]


def _between(
    fragment: Array, first: Array, second: Array, strength: Array
) -> tuple[Array, Array, Array]:
    """Return the mean strength of the edges between each pair of fragments."""
    one, other = fragment[first], fragment[second]
    apart = one != other
    low = np.minimum(one, other)[apart].astype(np.int64)
    high = np.maximum(one, other)[apart].astype(np.int64)
    pairs, index = np.unique(low << 32 | high, return_inverse=True)
    total = np.bincount(index, weights=strength[apart], minlength=len(pairs))
    mean = total / np.maximum(np.bincount(index, minlength=len(pairs)), 1)
    return pairs >> 32, pairs & 0xFFFFFFFF, mean


def _join(
    count: int, attracting: Sequence[Array], repelling: Sequence[Array]
) -> NDArray[np.int32]:
    """Return the group of each fragment: Kruskal's way, with exclusions."""
    parent = list(range(count))
    excluded: dict[int, set[int]] = {}

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first = np.concatenate([attracting[0], repelling[0]]).tolist()
    second = np.concatenate([attracting[1], repelling[1]]).tolist()
    strength = np.concatenate([attracting[2], repelling[2]])
    pulls = len(attracting[0])
    # Equally strong ones: what repels comes first, so that two stay two.
    order = np.lexsort((np.arange(len(strength)) < pulls, -strength))
    weak = 0.5
    for edge in order.tolist():
        if strength[edge] < weak:
            break
        a, b = root(first[edge]), root(second[edge])
        if a == b:
            continue
        if edge >= pulls:
            excluded.setdefault(a, set()).add(b)
            excluded.setdefault(b, set()).add(a)
        elif b not in excluded.get(a, ()):
            parent[b] = a
            for other in excluded.pop(b, set()):
                excluded[other].discard(b)
                excluded[other].add(a)
                excluded.setdefault(a, set()).add(other)
    return np.array([root(i) for i in range(count)], np.int32)
