"""From windows to landmarks: the best peak of each, whatever the volume's size.

Each fold and each mirrored copy of the image gives points of its own, and these are
combined (`readouts.consensus`): no outputs of all landmarks times the volume
ever exist. A fine stage looks only into windows about what the coarse one found:
`autoseg.predict.readouts._points.fine`.

Letters: L landmarks, P patch, D axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autoseg.errors import ModelError
from autoseg.landmarks.decoders import reach
from autoseg.landmarks.keeper import PeakKeeper
from autoseg.networks.base import LateLogits
from autoseg.predict.device import PRECISIONS
from autoseg.predict.windows.mirrors import flip
from autoseg.predict.windows.window import Cuttable, Windows, corner_of, cut
from autoseg.preprocess.placement import Placement
from autoseg.preprocess.points import restore_coordinates
from autoseg.spec.points import Points
from autoseg.tasks.landmark import AT_ONCE, HEAD, LandmarkTask

Array = NDArray[Any]

MARGIN = 1 / 8  # of a window's edge: nearer to its border, peaks count a little less


@dataclass(frozen=True, kw_only=True)
class View:
    """A window of the fine stage.

    Parameters
    ----------
    corner : tuple of int, length D
        Voxel of the prepared array that it begins with; may be outside.
    landmarks : frozenset of int
        Numbers of those that are looked for in it.
    boxes : mapping of int to pair of tuple of int, length D
        By number, the first voxel where the landmark may be, and the one after the
        last, in voxels of the window; by default anywhere in it.
    """

    corner: tuple[int, ...]
    landmarks: frozenset[int]
    boxes: Mapping[int, tuple[tuple[int, ...], tuple[int, ...]]] = field(
        default_factory=dict
    )

    def part(self, number: int, stride: Sequence[int]) -> tuple[slice, ...]:
        """Return the outputs, ``stride`` voxels long, where a landmark may be."""
        low, high = self.boxes[number]
        return tuple(
            slice(max(0, a // s), max(1, -(-b // s)))
            for a, b, s in zip(low, high, stride, strict=True)
        )


def predict_points(
    networks: Sequence[nn.Module],
    array: Cuttable,
    windows: Windows,
    task: LandmarkTask,
    spacing: tuple[float, ...],
    *,
    views: Sequence[View] | None = None,
    likelier: float = 1.0,
    stride: Sequence[int] = (),
    precision: str = "fp32",
    progress: Callable[[int], None] = lambda count: None,
) -> list[Points]:
    """Return the points that each network sees in each mirrored copy of an image.

    Parameters
    ----------
    networks : sequence of Module
        One for each fold, on their device, giving `LateLogits` or logits by head.
    array : ndarray of float32, shape (C, *S), or what is cut like one
        A preprocessed image.
    windows : Windows
        How to cut it, and which mirrors to look into.
    task : LandmarkTask
        Decodes.
    spacing : tuple of float, length D
        Of the array.
    views : sequence of View, optional
        Where to look for what; by default everywhere for everything.
    likelier : float
        How much likelier than in training a landmark is where it is looked for.
    stride : sequence of int, length D, optional
        How many voxels an output is long; by default one.
    precision : str
        Of the networks' layers.
    progress : callable
        Told how many windows were predicted since it was last called.

    Returns
    -------
    list of Points
        In voxels of the array; of mirrored copies, mirrored back, with left and right
        where they belong. `LandmarkTask.points_of` says what is known of each; besides,
        ``here`` is the chance that it is in the window of its peak.

    Raises
    ------
    ModelError
        If an output is not finite.
    """
    mirrors = windows.mirrors
    shape = array.shape[1:]
    seen = [
        [_Seen(task, shape, spacing, stride, math.log(likelier)) for _ in mirrors]
        for _ in networks
    ]
    near = None
    if views is None:
        views = list(_everywhere(windows, shape, len(task.classes)))
        if len(views) > 1:
            near = border_penalty(windows.patch)[_middles(stride)]
    device = torch.device(windows.device)
    for view in views:
        window = cut(array, view.corner, windows.patch).to(device)
        for fold, network in enumerate(networks):
            for mirror, axes in enumerate(mirrors):
                with torch.inference_mode():
                    with _arithmetic(device, precision):
                        logits = network(flip(window, axes)[None])[HEAD]
                    seen[fold][mirror].look(logits, view, axes, near)
        progress(1)
    return [one.points() for fold in seen for one in fold]


def _arithmetic(device: torch.device, precision: str) -> AbstractContextManager[None]:
    """Return in what a network computes in this precision."""
    if precision == "fp32":
        return nullcontext()
    return torch.autocast(device.type, PRECISIONS[precision])


def _everywhere(windows: Windows, shape: Sequence[int], count: int) -> Iterator[View]:
    grid, everything = windows.grid(shape), frozenset(range(count))
    for group in grid.groups:
        for index in grid.indices(group):
            yield View(corner=corner_of(grid, index), landmarks=everything)


def border_penalty(patch: Sequence[int]) -> NDArray[np.float32]:
    """Return what is added to logits of a window when peaks are compared.

    0 in the middle and down to -1 at the border, where a network sees half of what is
    around. It decides between windows that see the same point, and hardly ever between
    different places.

    Parameters
    ----------
    patch : sequence of int, length D
        Voxels of a window.

    Returns
    -------
    ndarray of float32, shape (*P)
    """
    penalty = np.zeros(tuple(patch), np.float32)
    for axis, edge in enumerate(patch):
        inward = np.minimum(np.arange(edge), np.arange(edge)[::-1]) + 0.5
        along = np.minimum(inward / max(1.0, edge * MARGIN), 1) - 1
        penalty = np.minimum(penalty, along.reshape(-1, *[1] * (len(patch) - 1 - axis)))
    return penalty.astype(np.float32)


def _middles(stride: Sequence[int]) -> tuple[slice, ...]:
    """Return the voxels nearest to the middles of outputs."""
    return tuple(slice(step // 2, None, step) for step in stride)


class _Seen:
    """What one network has seen of each landmark."""

    def __init__(
        self,
        task: LandmarkTask,
        shape: Sequence[int],
        spacing: tuple[float, ...],
        stride: Sequence[int],
        prior: float,
    ) -> None:
        self.task, self.spacing = task, spacing
        self.stride = tuple(stride) or (1,) * len(shape)
        count = len(task.classes)
        outputs = [math.ceil(n / s) for n, s in zip(shape, self.stride, strict=True)]
        widths = task.sigma_on(spacing, self.stride)
        self.keeper = PeakKeeper(count, outputs, reach(widths))
        # Windows begin anywhere: voxels from the last whole output to their corner.
        self.shift = np.zeros((count, len(shape)), dtype=np.int64)
        # log(sum(exp(z))) of the tile with the peak: the odds that the point is in it
        self.anywhere = np.full(count, -np.inf)
        self.prior = prior  # logarithm of how much likelier that is than in training

    def look(
        self,
        logits: Tensor | LateLogits,
        view: View,
        axes: Sequence[int],
        near: Array | None,
    ) -> None:
        """Look at a window's outputs, of an image that was mirrored along axes."""
        late = isinstance(logits, LateLogits)
        count = logits.channels if isinstance(logits, LateLogits) else logits.shape[1]
        origin, shift = np.divmod(view.corner, self.stride)
        order = self.task.swapped if len(axes) % 2 else tuple(range(count))
        for first in range(0, count, AT_ONCE):
            last = min(first + AT_ONCE, count)
            if view.landmarks.isdisjoint(order[first:last]):
                continue
            some = logits.part(first, last) if late else logits[:, first:last]  # type: ignore[union-attr,index]
            some = flip(some[0].float(), axes)
            total = torch.logsumexp(some.flatten(1), dim=1).cpu().numpy()
            if not np.isfinite(total).all():
                raise ModelError(
                    "The network's output is not finite. Look for NaN or very large "
                    "numbers in the image; if there are none, the model's weights are "
                    "damaged."
                )
            values = some.cpu().numpy()
            for i in range(first, last):
                one, number = values[i - first], order[i]
                if number not in view.landmarks:
                    continue
                first_output, odds = origin, total[i - first]
                if number in view.boxes:
                    part = view.part(number, self.stride)
                    one = one[part]
                    first_output = origin + [cut.start for cut in part]
                    odds = np.logaddexp.reduce(one, axis=None)
                before = self.keeper.value[number], self.keeper.peak[number].copy()
                self.keeper.add_tile(one[None], first_output.tolist(), number, near)
                after = self.keeper.value[number], self.keeper.peak[number]
                if before[0] != after[0] or (before[1] != after[1]).any():
                    self.anywhere[number] = odds
                    self.shift[number] = shift

    def points(self) -> Points:
        """Return the points; their score is the chance to be where the peak is."""
        window = self.keeper.window.astype(np.float64)
        highest = self.keeper.value.astype(np.float64)
        there = np.isfinite(highest)
        lead = (slice(None), *[None] * (window.ndim - 1))
        heat = np.exp(window - np.where(there, highest, 0.0)[lead])
        odds = self.anywhere + self.prior
        with np.errstate(invalid="ignore", divide="ignore"):
            mass = np.log(np.nansum(heat.reshape(len(heat), -1), axis=1)) + highest
            score = np.exp(mass + self.prior - np.logaddexp(odds, 0.0))
            here = np.exp(odds - np.logaddexp(odds, 0.0))
        score = np.where(there, np.clip(score, 0, 1), 0.0)
        found = self.task.points_of(
            self.keeper, heat, score, self.spacing, self.stride, self.shift
        )
        return replace(found, details={**found.details, "here": here})


def restore(points: Points, placement: Placement) -> Points:
    """Bring predicted points back to their image's grid.

    Parameters
    ----------
    points : Points
        From `combine`.
    placement : Placement
        Of the prepared image.

    Returns
    -------
    Points
        In voxels of the image, with the details ``score``; ``covariance`` in square
        units of length, axes in the image's order; and ``peak``, the best place of each
        landmark, also of absent ones.
    """
    dim = points.dim
    corners = restore_coordinates(np.vstack([np.zeros(dim), np.eye(dim)]), placement)
    edges = np.asarray(placement.geometry.spacing)
    turn = (corners[1:] - corners[0]).T * edges[:, None]
    covariance = turn @ points.details["covariance"] @ turn.T
    peaks = restore_coordinates(points.details["peak"], placement)
    score = points.details["score"]
    return Points(
        points.names,
        peaks,
        points.status,
        {"score": score, "covariance": covariance, "peak": peaks},
        placement.geometry.shape,
    )
