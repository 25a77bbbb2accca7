"""Small masks in boxes, as voxels of their objects say.

Legend: B batch, C channels, P patch, L layers, E cells of the small grid along an axis,
M objects, K voxels of each that are asked, T points of each that are looked at, D axes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._seeds import SeedLoss, Seen, entropy_and_dice, grid_in
from autoseg.losses.base import Loss

IN_CELL = 4  # points of a cell along each axis


@LOSSES.register
class CenterMasks(SeedLoss):
    """See `SeedLoss`; masks are those of the objects' boxes on a small grid.

    A cell of the grid is to be as likely as it is full. Cells with voxels that do not
    count are left out.

    Parameters
    ----------
    batch_dice : bool
        Without meaning here.
    axes : int
        Number of spatial axes.
    edge : int
        E.
    scale : float
        Voxels that a distance of 1 is.
    box, mask : float
        Weights of the sides of boxes, and of masks.
    beta : float
        Distance below which the error of a side counts by its square.
    dice : float
        Weight of the masks' Dice, beside cross-entropy.
    ignore_index : int, optional
        Voxels with this value in a layer do not count.

    References
    ----------
    .. [1] Lee and Park, "CenterMask: real-time anchor-free instance segmentation",
       CVPR 2020. arXiv:1911.06667
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        axes: int = 2,
        edge: int = 4,
        scale: float = 10.0,
        box: float = 1.0,
        mask: float = 1.0,
        beta: float = 1.0,
        dice: float = 0.0,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(axes, scale, box, mask, beta, ignore_index)
        self.edge, self.dice = edge, dice

    def compare(self, output: Tensor, seen: Seen) -> Tensor:
        told = seen.told(output[1 + 2 * self.axes :]).permute(1, 2, 0)
        # Cells are as full as the points in them.
        points = grid_in(seen.low, seen.high, self.edge * IN_CELL)
        _, inside, counted = seen.looked_at(points)
        full, known = (self._cells(of.to(told.dtype)) for of in (inside, counted))
        return entropy_and_dice(told, full, known > 1 - 1e-4, self.dice)

    def _cells(self, points: Tensor) -> Tensor:
        """Return the means (M, E ** D) of what is known at points, (M, T)."""
        whole: Tensor = points.unflatten(1, (self.edge, IN_CELL) * self.axes)
        for axis in range(self.axes, 0, -1):
            whole = whole.mean(2 * axis)
        return whole.flatten(1)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 2, 8, 9), dtype=torch.int32)
        target[:, 0, 1:5, 1:5] = 1
        target[:, 1, 3:7, 3:7] = 7  # shares a corner with the first
        output = torch.zeros((2, 5 + 16, 8, 9))
        output[:, 0] = -200.0
        rows, columns = torch.meshgrid(
            torch.arange(8.0), torch.arange(9.0), indexing="ij"
        )
        several = (target > 0).sum(1)
        for layer, low in ((0, 1), (1, 3)):
            own = (target[0, layer] > 0) & (several[0] == 1)
            far = (rows - low, low + 4 - rows, columns - low, low + 4 - columns)
            for channel, (side, sign) in enumerate(
                zip(far, (1, -1, 1, -1), strict=True)
            ):
                output[:, 1 + channel][:, own] = (side + sign * 0.5)[own] / 10
            output[:, 0][:, own] = 200.0
            output[:, 5:][:, :, own] = 200.0
        return cls(), target, output
