"""Boxes that voxels tell of: how sure they are, and where the sides are.

Legend: B batch, P patch, L layers, D axes.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._boxes import side_loss
from autoseg.losses._dice import precise
from autoseg.losses._masks import counted, sure_loss
from autoseg.losses.base import Loss


@LOSSES.register
class BoxSides(Loss):
    """How sure voxels are to be an object's own, and the sides of its box [1]_.

    Voxels that several objects share tell of none of them.

    Parameters
    ----------
    batch_dice : bool
        Without meaning here.
    axes : int
        Number of spatial axes, D.
    scale : float
        Voxels that a distance of 1 is.
    box : float
        Weight of the sides.
    beta : float
        Distance below which the error of a side counts by its square.
    ignore_index : int, optional
        Voxels with this value in a layer do not count.

    References
    ----------
    .. [1] Tian et al., "FCOS: fully convolutional one-stage object detection", ICCV
       2019. arXiv:1904.01355
    """

    takes_layers = True

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        axes: int = 2,
        scale: float = 10.0,
        box: float = 1.0,
        beta: float = 1.0,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__()
        self.axes, self.scale, self.box = axes, scale, box
        self.beta, self.ignore_index = beta, ignore_index

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss.

        Parameters
        ----------
        logits : Tensor, shape (B, 1 + 2 D, *P)
            How sure a voxel is, and how far the sides are, before and behind along each
            axis.
        target : Tensor of int, shape (B, L, *P)
            Ids of objects, none of which overlap within a layer.
        """
        logits = logits.to(precise(logits))
        sure = sides = logits.new_zeros(())
        count = 0
        for output, layers in zip(logits, target, strict=True):
            seen = counted(layers.flatten(1), self.ignore_index).view_as(layers[0])
            sure = sure + sure_loss(output[0], (layers > 0).sum(0), seen)
            sides = sides + side_loss(output[1:], layers, self.scale, self.beta)
            count += len(torch.unique(layers[layers > 0]))
        return sure / len(logits) + self.box * sides / max(1, count)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 2, 8, 9), dtype=torch.int32)
        target[:, 0, 1:7, 3:5] = 1
        target[:, 1, 3:5, 1:8] = 7  # crosses the first
        output = torch.zeros((2, 5, 8, 9))
        output[:, 0] = -200.0
        rows, columns = torch.meshgrid(
            torch.arange(8.0), torch.arange(9.0), indexing="ij"
        )
        several = (target > 0).sum(1)
        for layer, ends in ((0, (1, 7, 3, 5)), (1, (3, 5, 1, 8))):
            own = (target[0, layer] > 0) & (several[0] == 1)
            top, bottom, left, right = ends
            far = (rows - top, bottom - rows, columns - left, right - columns)
            for channel, (side, sign) in enumerate(
                zip(far, (1, -1, 1, -1), strict=True)
            ):
                output[:, 1 + channel][:, own] = (side + sign * 0.5)[own] / 10
            output[:, 0][:, own] = 200.0
        return cls(), target, output
