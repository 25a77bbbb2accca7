"""Masks that are put together of prototypes, as voxels of their objects say.

Legend: B batch, C channels, P patch, L layers, Q prototypes, K voxels that are asked.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._seeds import (
    SeedLoss,
    Seen,
    entropy_and_dice,
    told_by,
    widened,
)
from autoseg.losses.base import Loss


@LOSSES.register
class PrototypeMasks(SeedLoss):
    """See `SeedLoss`; masks are sums of prototypes, each times a voxel's weight.

    They are compared in the object's box and a margin around it.

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
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(axes, scale, box, mask, ignore_index)

    def compare(self, output: Tensor, one: Seen, seen: Tensor) -> Tensor:
        first = 1 + 2 * self.axes
        count = (len(output) - first) // 2
        weights = told_by(output[first : first + count], one)
        box = widened(one.box, seen.shape)
        counted = seen[box]
        maps = output[(slice(first + count, None), *box)][:, counted]
        with torch.autocast(output.device.type, enabled=False):
            masks = weights.T @ maps
        return entropy_and_dice(masks, one.inside(box)[counted])

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
