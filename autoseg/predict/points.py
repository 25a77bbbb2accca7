"""From windows to landmarks: the best peak of each, whatever the volume's size.

Each fold and each mirrored copy of the image gives points of its own, and these are
combined: no outputs of all landmarks times the volume ever exist.

Letters: L landmarks, P patch, D axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autoseg.errors import ModelError
from autoseg.landmarks.decoders import reach
from autoseg.landmarks.keeper import PeakKeeper
from autoseg.networks._base import LateLogits
from autoseg.predict.device import PRECISIONS
from autoseg.predict.window import Windows, _cut, _flip
from autoseg.preprocess.case import Placement
from autoseg.preprocess.points import restore_coordinates
from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.tasks.landmark import HEAD, LandmarkTask

Array = NDArray[Any]

AT_ONCE = 16  # landmarks whose outputs are there at the same time
MARGIN = 1 / 8  # of a window's edge: nearer to its border, peaks count a little less


def predict_points(
    networks: Sequence[nn.Module],
    array: NDArray[np.float32],
    windows: Windows,
    task: LandmarkTask,
    spacing: tuple[float, ...],
    *,
    precision: str = "fp32",
    progress: Callable[[int], None] = lambda count: None,
) -> list[Points]:
    """Return the points that each network sees in each mirrored copy of an image.

    Parameters
    ----------
    networks : sequence of Module
        One for each fold, on their device, giving `LateLogits` or logits by head.
    array : ndarray of float32, shape (C, *S)
        A preprocessed image.
    windows : Windows
        How to cut it, and which mirrors to look into.
    task : LandmarkTask
        Decodes.
    spacing : tuple of float, length D
        Of the array.
    precision : str
        Of the networks' layers.
    progress : callable
        Told how many windows were predicted since it was last called.

    Returns
    -------
    list of Points
        In voxels of the array; of mirrored copies, mirrored back, with left and right
        where they belong.

    Raises
    ------
    ModelError
        If an output is not finite.
    """
    mirrors = windows.mirrors
    shape = array.shape[1:]
    seen = [
        [_Seen(task, shape, spacing) for _ in mirrors] for _ in range(len(networks))
    ]
    grid = windows.grid(shape)
    near = None
    if grid.count > 1:
        near = border_penalty(grid.patch)
    device = torch.device(windows.device)
    for group in grid.groups:
        for index in grid.indices(group):
            window = _cut(array, grid, index).to(device)
            pairs = zip(grid.start(index), grid.padding, strict=True)
            corner = [first - before for first, (before, _) in pairs]
            for fold, network in enumerate(networks):
                for mirror, axes in enumerate(mirrors):
                    with torch.inference_mode():
                        logits = _run(network, _flip(window, axes)[None], precision)
                        seen[fold][mirror].look(logits, corner, axes, near)
            progress(1)
    return [one.points() for fold in seen for one in fold]


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


def _run(network: nn.Module, batch: Tensor, precision: str) -> Any:
    if precision == "fp32":
        return network(batch)[HEAD]
    with torch.autocast(batch.device.type, PRECISIONS[precision]):
        return network(batch)[HEAD]


class _Seen:
    """What one network has seen of each landmark."""

    def __init__(
        self, task: LandmarkTask, shape: Sequence[int], spacing: tuple[float, ...]
    ) -> None:
        self.task, self.spacing = task, spacing
        count = len(task.classes)
        self.keeper = PeakKeeper(count, shape, reach(task.sigma_on(spacing)))
        # log(sum(exp(z))) of the tile with the peak: the odds that the point is in it
        self.anywhere = np.full(count, -np.inf)
        self._rank = np.full(count, -np.inf)

    def look(
        self,
        logits: Tensor | LateLogits,
        corner: Sequence[int],
        axes: Sequence[int],
        near: Array | None,
    ) -> None:
        """Look at a window's outputs, of an image that was mirrored along axes."""
        late = isinstance(logits, LateLogits)
        count = logits.channels if isinstance(logits, LateLogits) else logits.shape[1]
        order = self.task.swapped if len(axes) % 2 else tuple(range(count))
        for first in range(0, count, AT_ONCE):
            last = min(first + AT_ONCE, count)
            some = logits.part(first, last) if late else logits[:, first:last]  # type: ignore[union-attr,index]
            some = _flip(some[0].float(), axes)
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
                before = self.keeper.value[number], self.keeper.peak[number].copy()
                self.keeper.add_tile(one[None], corner, number, near)
                after = self.keeper.value[number], self.keeper.peak[number]
                if before[0] != after[0] or (before[1] != after[1]).any():
                    self.anywhere[number] = total[i - first]

    def points(self) -> Points:
        """Return the points; their score is the chance to be where the peak is."""
        window = self.keeper.window.astype(np.float64)
        highest = self.keeper.value.astype(np.float64)
        there = np.isfinite(highest)
        lead = (slice(None), *[None] * (window.ndim - 1))
        heat = np.exp(window - np.where(there, highest, 0.0)[lead])
        mass = np.log(np.nansum(heat.reshape(len(heat), -1), axis=1)) + highest
        with np.errstate(invalid="ignore"):
            score = np.exp(mass - np.logaddexp(self.anywhere, 0.0))
        score = np.where(there, np.clip(score, 0, 1), 0.0)
        return self.task.points_of(self.keeper, heat, score, self.spacing)


def combine(points: Sequence[Points], task: LandmarkTask) -> Points:
    """Return the mean of several opinions about the same points.

    Parameters
    ----------
    points : sequence of Points
        From `predict_points`.
    task : LandmarkTask
        Gives the thresholds.

    Returns
    -------
    Points
        Coordinates are means weighted by score, the score is the mean, and the
        covariance that of the mixture: what the opinions say and how they differ.
    """
    score = np.stack([one.details["score"] for one in points])
    place = np.stack([one.details["peak"] for one in points])
    weight = score / np.maximum(score.sum(0), 1e-12)
    mean = (weight[..., None] * place).sum(0)
    away = place - mean
    spread = away[..., :, None] * away[..., None, :]
    own = np.stack([one.details["covariance"] for one in points])
    covariance = (weight[..., None, None] * (own + spread)).sum(0)
    sure = score.mean(0)
    present = sure >= task.thresholds
    return Points(
        task.classes,
        mean,
        np.where(present, PRESENT, ABSENT),
        {"score": sure, "covariance": covariance, "peak": mean},
        points[0].shape,
    )


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
