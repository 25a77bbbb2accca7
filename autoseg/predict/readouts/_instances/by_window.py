"""Predict objects that may overlap: window by window, and in the image's own grid.

Letters: K outputs of all heads, P patch, D axes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from autoseg.metrics.masks import overlapping_boxes
from autoseg.predict.readouts._instances.united import (
    Object,
    Piece,
    View,
    in_array,
    unite,
    views_of,
)
from autoseg.predict.windows.canvas import Canvas
from autoseg.predict.windows.tiling import Grid
from autoseg.predict.windows.window import Network, Windows, corner_of, cut
from autoseg.preprocess.placement import Placement
from autoseg.spec.arrays.overlaps import Mask, painted
from autoseg.spec.instances import Instances

Array = NDArray[Any]
Found = list[tuple[Mask, float, int]]
SLICES = 0.25  # IoU from which on objects of neighboring slices are one
HALF = 0.5


@dataclass(frozen=True, kw_only=True)
class Window:
    """What one network says about one window.

    Parameters
    ----------
    logits : Tensor, shape (K, *P)
        Of all heads.
    corner : tuple of int, length D
        The array's voxel that the window begins with; negative: it overhangs.
    view : View
        What it sees of the array.
    """

    logits: torch.Tensor
    corner: tuple[int, ...]
    view: View


def predict_windows(
    networks: Sequence[Network],
    array: Any,
    windows: Windows,
    progress: Callable[[int], None],
) -> Iterator[Window]:
    """Predict an array window by window.

    Parameters
    ----------
    networks : sequence of Network
        Each looks at every window.
    array : ndarray of float32, shape (C, *S)
        A preprocessed image.
    windows : Windows
        How to cut it.
    progress : callable
        Told how many windows were predicted since it was last called.

    Yields
    ------
    Window
        Each as often as there are networks.
    """
    grid = windows.grid(array.shape[1:])
    number = 0
    for group in grid.groups:
        for indices in windows.chunks(grid, group):
            corners = [corner_of(grid, index) for index in indices]
            batch = torch.stack([cut(array, at, grid.patch) for at in corners])
            batch = batch[:, :, 0] if grid.sliced else batch
            for network in networks:
                # The networks are called here, in no other frame.
                with torch.inference_mode():
                    outputs = network(batch.to(windows.device)).float().cpu()
                for index, corner, logits in zip(
                    indices, corners, outputs, strict=True
                ):
                    view = views_of(grid, index, number)
                    number += 1
                    yield Window(logits=logits, corner=corner, view=view)
            progress(len(indices))


class Objects:
    """Objects of an array, from what is found in its windows.

    Parameters
    ----------
    grid : Grid
        The windows.
    networks : int
        How many look at every window; objects that at most half of them find are none.
    decode : callable
        From the logits of a window, (K, *P), to masks, scores and numbers of classes.
    same : float
        See `unite`.
    """

    def __init__(
        self,
        grid: Grid,
        networks: int,
        decode: Callable[[torch.Tensor], Found],
        same: float,
    ) -> None:
        self._grid, self._networks = grid, networks
        self._decode, self._same = decode, same
        self._pieces: list[Piece] = []

    def take(self, window: Window) -> None:
        """Find what a window shows."""
        for mask, score, kind in self._decode(window.logits):
            if self._grid.sliced:
                mask = Mask((0, *mask.start), mask.inside[None])
            placed = in_array(mask, window.corner, self._grid.shape)
            if placed is not None:
                self._pieces.append(Piece(Object(placed, score, kind), window.view))

    def united(self) -> list[Object]:
        """Return each object once, when all windows were taken."""
        found = unite(self._pieces, self._networks, self._same)
        return through_slices(found) if self._grid.sliced else found


def through_slices(found: Sequence[Object]) -> list[Object]:
    """Join objects of neighboring slices that are alike, each with one at most."""
    masks = [one.mask for one in found]
    flat = [Mask(mask.start[1:], mask.inside[0]) for mask in masks]
    grown = [Mask((m.start[0] + 1, *m.start[1:]), m.inside) for m in masks]
    alike = []
    for one, other in overlapping_boxes(grown, masks):
        both = flat[one].shared(flat[other])
        iou = both / (flat[one].size + flat[other].size - both)
        if iou >= SLICES:
            alike.append((-iou, int(one), int(other)))
    above: dict[int, int] = {}
    for _, one, other in sorted(alike):
        if one not in above and other not in above.values():
            above[one] = other
    firsts = sorted(set(range(len(found))) - set(above.values()))
    joined = []
    for first in firsts:
        chain = [first]
        while chain[-1] in above:
            chain.append(above[chain[-1]])
        mask = masks[first]
        for number in chain[1:]:
            mask = mask.united(masks[number])
        best = max((found[n] for n in chain), key=lambda one: one.score)
        joined.append(Object(mask, best.score, best.kind))
    return joined


def in_image(found: Sequence[Object], placement: Placement) -> Instances:
    """Return objects of the network's grid as instances in the image's own.

    Where they overlap, the surest is on top.
    """
    placed = []
    for one in found:
        mask = resized(one.mask, placement.shape, placement.cropped_shape)
        if mask is not None:
            placed.append(replace(one, mask=_in_image(mask, placement)))
    placed.sort(key=lambda one: (one.mask.start, one.mask.inside.shape))
    named = sorted(enumerate(placed, 1), key=lambda pair: pair[1].score)
    labels, shared = painted(
        placement.geometry.shape, [(number, one.mask) for number, one in named]
    )
    return Instances(
        labels,
        {number: one.kind for number, one in enumerate(placed, 1)},
        {number: one.score for number, one in enumerate(placed, 1)},
        shared,
    )


def resized(mask: Mask, old: Sequence[int], new: Sequence[int]) -> Mask | None:
    """Return a mask on another grid over the same box, by linear interpolation."""
    if tuple(old) == tuple(new):
        return mask
    from scipy.ndimage import map_coordinates

    places, start = [], []
    for low, size, before, after in zip(
        mask.start, mask.inside.shape, old, new, strict=True
    ):
        first = max(0, int(np.floor((low - 1) * after / before)))
        last = min(after, int(np.ceil((low + size + 1) * after / before)))
        start.append(first)
        at = (np.arange(first, last) + HALF) * before / after - HALF
        places.append(np.clip(at, 0, before - 1) - low)
    grid = np.meshgrid(*places, indexing="ij")
    inside = map_coordinates(
        mask.inside.astype(np.float32), grid, order=1, mode="grid-constant"
    )
    there = np.nonzero(inside >= HALF)
    if not len(there[0]):
        return None
    return Mask.of_places([at + low for at, low in zip(there, start, strict=True)])


class _Caught:
    """Takes the place of an array in the image's grid, and keeps what is put there."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.mask = Mask((), np.zeros((), bool))

    def __setitem__(self, box: tuple[slice, ...], inside: NDArray[np.bool_]) -> None:
        self.mask = Mask(tuple(part.start for part in box), inside)


def _in_image(mask: Mask, placement: Placement) -> Mask:
    """Return a mask of the cropped grid in the image's."""
    caught = _Caught(placement.geometry.shape)
    box = tuple(
        (part.start + low, part.stop + low)
        for part, (low, _) in zip(mask.box, placement.box, strict=True)
    )
    Canvas(caught, replace(placement, box=box)).put(mask.inside, 0, 0)
    return caught.mask
