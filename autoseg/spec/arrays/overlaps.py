"""Objects that overlap: whole masks, and one map in which each overlap has a code.

A map of ids gives each voxel to one object. Beside it, the whole mask of each object
that shares voxels is kept, cut to its box. On its way through grids, training data and
augmentation an annotation is one map all the same: voxels that several objects share
have a value of their own for each set of objects, so that whatever moves labels moves
overlaps.

Legend: S spatial shape, D axes, N voxels, L layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoseg.spec.arrays.masks import Mask as Mask

Array = NDArray[Any]


@dataclass(frozen=True)
class Shares:
    """What the values of shared voxels in a map of codes mean.

    Parameters
    ----------
    sets : tuple of tuple of int
        The objects that share voxels, the one on top first, and then by their ids.
    base : int
        Larger than every id; a shared voxel is ``base`` plus the position of its set.
    """

    sets: tuple[tuple[int, ...], ...]
    base: int

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"base": self.base, "sets": [list(one) for one in self.sets]}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Shares:
        """Return what `to_json` gave."""
        sets = tuple(tuple(int(i) for i in one) for one in raw["sets"])
        return cls(sets, int(raw["base"]))

    @property
    def layers(self) -> dict[int, int]:
        """A layer for each object that shares voxels, from 0, so that no two meet.

        Objects take the first layer that is free, in the order of their ids; all
        others are in layer 0.
        """
        rivals: dict[int, set[int]] = {}
        for one in self.sets:
            for i in one:
                rivals.setdefault(i, set()).update(one)
        layer: dict[int, int] = {}
        for i in sorted(rivals):
            taken = {layer[other] for other in rivals[i] if other in layer}
            layer[i] = next(n for n in range(len(taken) + 1) if n not in taken)
        return layer

    @property
    def depth(self) -> int:
        """Layers that are needed for all objects."""
        return max(self.layers.values(), default=0) + 1


def on_top(codes: Array, shares: Shares) -> Array:
    """Return a map of codes as one of ids: of those that share a voxel, the first."""
    if not shares.sets:
        return codes
    tops = np.array([one[0] for one in shares.sets], codes.dtype)
    shared = codes >= shares.base
    return np.where(shared, tops[np.where(shared, codes - shares.base, 0)], codes)


def in_layers(codes: Array, shares: Shares | None) -> NDArray[np.int32]:
    """Return a map of codes as maps of ids, of which none overlaps with itself.

    Parameters
    ----------
    codes : ndarray of int, shape S
        See `Shares`; what is below 1 stands in every layer.
    shares : Shares or None
        What shared voxels mean; None: there are none.

    Returns
    -------
    ndarray of int32, shape (L, *S)
        Each object is in one layer.
    """
    if shares is None or not shares.sets:
        return np.asarray(codes, np.int32)[None]
    layer, depth = shares.layers, shares.depth
    table = np.zeros((depth, len(shares.sets)), np.int32)
    for place, one in enumerate(shares.sets):
        for i in one:
            table[layer[i], place] = i
    shared = codes >= shares.base
    where = np.where(shared, codes - shares.base, 0)
    found = np.zeros((depth, *codes.shape), np.int32)
    found[:] = np.minimum(codes, 0)
    found[0] = np.where(shared, 0, codes)
    for i, number in layer.items():
        if number:
            alone = codes == i
            found[0][alone] = 0
            found[number][alone] = i
    for number in range(depth):
        np.copyto(found[number], table[number][where], where=shared)
    return found


def coded(labels: Array, masks: Mapping[int, Mask]) -> tuple[Array, Shares]:
    """Return a map of ids and whole masks as one map of codes.

    Parameters
    ----------
    labels : ndarray of int32, shape S
        Ids of the objects on top.
    masks : mapping of int to Mask
        The whole mask of each object that shares voxels.

    Returns
    -------
    codes : ndarray of int32, shape S
        Ids, and for shared voxels what `Shares` says.
    shares : Shares
        What the values of shared voxels mean.
    """
    flat = [np.ravel_multi_index(m.places, labels.shape) for m in masks.values()]
    who = [np.full(len(f), i, np.int64) for i, f in zip(masks, flat, strict=True)]
    places = np.concatenate([np.zeros(0, np.int64), *flat])
    owner = np.concatenate([np.zeros(0, np.int64), *who])
    order = np.lexsort((owner, places))
    places, owner = places[order], owner[order]
    first = np.flatnonzero(np.diff(places, prepend=-1))
    count = np.diff(first, append=len(places))
    codes = np.array(labels, np.int32)
    codes.ravel()[places] = owner  # right where there is but one
    base = max(int(labels.max(initial=0)), max(masks, default=0)) + 1
    several = count > 1
    deepest = int(count.max(initial=1))
    members = np.zeros((int(several.sum()), deepest + 1), np.int64)
    for number in range(deepest):
        there = count[several] > number
        members[there, number + 1] = owner[first[several][there] + number]
    at = places[first[several]]
    top = labels.ravel()[at]
    known = (members[:, 1:] == top[:, None]).any(1)
    members[:, 0] = np.where(known, top, members.max(1, initial=0))
    kinds, which = np.unique(members, axis=0, return_inverse=True)
    codes.ravel()[at] = base + np.ravel(which)
    sets = tuple(
        (int(row[0]), *(int(i) for i in row[1:] if i not in (0, row[0])))
        for row in kinds
    )
    return codes, Shares(sets, base)


def members_of(codes: Array, shares: Shares) -> Iterator[tuple[int, Mask]]:
    """Yield the whole mask of each object that shares voxels in a map of codes.

    Parameters
    ----------
    codes : ndarray of int, shape S
        See `Shares`.
    shares : Shares
        What shared voxels mean.

    Yields
    ------
    id, Mask
        In the order of ids; objects that share no voxel in this map are left out.
    """
    there = np.unique(codes[codes >= shares.base]) - shares.base
    sets = [shares.sets[int(place)] for place in there]
    wanted = sorted({i for one in sets for i in one})
    if not wanted:
        return
    involved = np.flatnonzero((codes >= shares.base) | np.isin(codes, wanted))
    values = codes.ravel()[involved]
    shared = values >= shares.base
    places, owner = [involved[~shared]], [values[~shared].astype(np.int64)]
    deepest = max(len(one) for one in sets)
    table = np.zeros((len(shares.sets), deepest), np.int64)
    for place, one in zip(there, sets, strict=True):
        table[place, : len(one)] = one
    for column in table.T:
        found = column[values[shared] - shares.base]
        places.append(involved[shared][found > 0])
        owner.append(found[found > 0])
    place, who = np.concatenate(places), np.concatenate(owner)
    order = np.argsort(who, kind="stable")
    place, who = place[order], who[order]
    edges = np.searchsorted(who, [*wanted, wanted[-1] + 1])
    for i, low, high in zip(wanted, edges, edges[1:], strict=False):
        yield i, Mask.of_places(np.unravel_index(place[low:high], codes.shape))


def painted(
    shape: Sequence[int], masks: Iterable[tuple[int, Mask]]
) -> tuple[NDArray[np.int32], dict[int, Mask]]:
    """Put objects on a grid, the later ones on top of those before.

    Parameters
    ----------
    shape : sequence of int, length D
        S.
    masks : iterable of (int, Mask)
        Ids from 1 on, and voxels; an id that comes again adds voxels to its object.

    Returns
    -------
    labels : ndarray of int32, shape S
        Ids on top.
    shared : dict of int to Mask
        The whole mask of each object that shares voxels with another one.
    """
    labels = np.zeros(shape, np.int32)
    shared: dict[int, Mask] = {}
    boxes: dict[int, tuple[slice, ...]] = {}
    for i, mask in masks:
        part = labels[mask.box]
        under = part[mask.inside]
        others = np.unique(under[(under > 0) & (under != i)])
        for other in map(int, others):
            if other not in shared:
                shared[other] = _whole(labels, boxes[other], other)
        if len(others) and i not in shared and i in boxes:
            shared[i] = _whole(labels, boxes[i], i)
        if i in shared:
            shared[i] = shared[i].united(mask)
        elif len(others):
            shared[i] = mask
        part[mask.inside] = i
        boxes[i] = _around(boxes.get(i), mask.box)
    return labels, {i: shared[i] for i in sorted(shared)}


def _whole(labels: Array, box: tuple[slice, ...], i: int) -> Mask:
    return Mask(tuple(part.start for part in box), labels[box] == i)


def _around(
    one: tuple[slice, ...] | None, other: tuple[slice, ...]
) -> tuple[slice, ...]:
    if one is None:
        return other
    return tuple(
        slice(min(a.start, b.start), max(a.stop, b.stop))
        for a, b in zip(one, other, strict=True)
    )
