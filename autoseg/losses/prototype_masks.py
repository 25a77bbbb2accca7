"""Masks that are put together of prototypes, as voxels of their objects say.

Legend: B batch, C channels, P patch, L layers, Q prototypes, M objects, K voxels of
each that are asked, T points of each that are looked at, D axes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._seeds import (
    SeedLoss,
    Seen,
    entropy_and_dice,
    grid_in,
    picked,
    widened,
)
from autoseg.losses.base import Loss
from autoseg.spec.arrays.ellipses import numbers, pairs

POINTS = {2: 32, 3: 10}  # of an object along each axis that are looked at, by axes


@LOSSES.register
class PrototypeMasks(SeedLoss):
    """See `SeedLoss`; masks are sums of prototypes, each times a voxel's weight.

    They are compared at points of the object's box and a margin around it.

    Parameters
    ----------
    batch_dice : bool
        Without meaning here.
    axes : int
        Number of spatial axes.
    scale : float
        Voxels that a distance of 1 is.
    box, mask : float
        Weights of the sides of boxes, and of masks.
    beta : float
        Distance below which the error of a side counts by its square.
    ellipse : bool
        Voxels tell of an ellipse, too, which is added.
    ignore_index : int, optional
        Voxels with this value in a layer do not count.

    References
    ----------
    .. [1] Bolya et al., "YOLACT: real-time instance segmentation", ICCV 2019.
       arXiv:1904.02689
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        axes: int = 2,
        scale: float = 10.0,
        box: float = 1.0,
        mask: float = 1.0,
        beta: float = 1.0,
        ellipse: bool = False,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(axes, scale, box, mask, beta, ignore_index)
        self.ellipse = ellipse

    def compare(self, output: Tensor, seen: Seen) -> Tensor:
        first = 1 + 2 * self.axes
        also = numbers(self.axes) if self.ellipse else 0
        count = (len(output) - first - also) // 2
        said = seen.told(output[first : first + count + also])
        points = grid_in(*widened(seen.low, seen.high, seen.shape), POINTS[self.axes])
        at, inside, counted = seen.looked_at(points)
        maps = picked(output[first + count + also :], at)
        with torch.autocast(output.device.type, enabled=False):
            masks = torch.einsum("qmk,qmt->mkt", said[:count], maps)
            if self.ellipse:
                masks = masks + self._ellipses(said[count:], seen.asked, points)
        return entropy_and_dice(masks, inside, counted)

    def _ellipses(self, told: Tensor, asked: Tensor, points: Tensor) -> Tensor:
        """Return how far inside of ellipses points are; see `spec.arrays.ellipses`.

        Parameters
        ----------
        told : Tensor, shape (numbers, M, K)
            Of ellipses.
        asked : Tensor of int64, shape (M, K, D)
            The voxels that tell of them.
        points : Tensor of int64, shape (M, T, D)
            Voxels.

        Returns
        -------
        Tensor, shape (M, K, T)
        """
        rows, columns = pairs(self.axes)
        away = (points[:, None] - asked[:, :, None]) / self.scale
        away = away - told[: self.axes].movedim(0, -1)[:, :, None]
        root = told.new_zeros((*told.shape[1:], self.axes, self.axes))
        parts = told[self.axes : -1].movedim(0, -1)
        root[..., rows, columns] = parts
        root[..., columns, rows] = parts
        root = root + torch.eye(self.axes, device=told.device, dtype=told.dtype)
        return told[-1][..., None] - (away @ root).square().sum(-1)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 2, 8, 9), dtype=torch.int32)
        target[:, 0, 1:7, 3:5] = 1
        target[:, 1, 3:5, 1:8] = 7  # crosses the first
        output = torch.zeros((2, 5 + 2 * 2, 8, 9))
        output[:, 0] = -200.0
        rows, columns = torch.meshgrid(
            torch.arange(8.0), torch.arange(9.0), indexing="ij"
        )
        several = (target > 0).sum(1)
        for layer, ends in ((0, (1, 7, 3, 5)), (1, (3, 5, 1, 8))):
            mask = target[0, layer] > 0
            own = mask & (several[0] == 1)
            top, bottom, left, right = ends
            far = (rows - top, bottom - rows, columns - left, right - columns)
            for channel, (side, sign) in enumerate(
                zip(far, (1, -1, 1, -1), strict=True)
            ):
                output[:, 1 + channel][:, own] = (side + sign * 0.5)[own] / 10
            output[:, 0][:, own] = 200.0
            output[:, 5 + layer][:, own] = 20.0
            output[:, 7 + layer] = torch.where(mask, 20.0, -20.0)
        return cls(), target, output
