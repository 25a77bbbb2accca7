"""Small masks in boxes, as voxels of their objects say.

Legend: B batch, C channels, P patch, L layers, E points of the small grid along an
axis, K voxels that are asked.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from autoseg.losses import LOSSES
from autoseg.losses._seeds import SeedLoss, Seen, told_by
from autoseg.losses.base import Loss
from autoseg.spec.arrays.small_masks import shrunk


@LOSSES.register
class CenterMasks(SeedLoss):
    """See `SeedLoss`; masks are those of the objects' boxes on a small grid.

    A point of the grid is to be as likely as its cell is full. Points with voxels that
    do not count are left out.

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
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(axes, scale, box, mask, ignore_index)
        self.edge = edge

    def compare(self, output: Tensor, one: Seen, seen: Tensor) -> Tensor:
        told = told_by(output[1 + 2 * self.axes :], one).T
        truth = self._small(one.inside(one.box)).to(output)
        counted = self._small(seen[one.box]).to(output.device) > 1 - 1e-4
        if not counted.any():
            return 0 * told.sum()
        truth = truth[counted].expand(len(told), -1)
        return binary_cross_entropy_with_logits(told[:, counted], truth)

    def _small(self, inside: Tensor) -> Tensor:
        return torch.from_numpy(shrunk(inside.cpu().numpy(), self.edge)).flatten()

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
