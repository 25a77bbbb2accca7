"""Dice and cross-entropy, and how far surfaces are apart.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._distance import border_distance, diagonal
from autoseg.losses._labels import LabelLoss, Partly, Seen, dice_and_entropy
from autoseg.losses._tversky import check_weights


@LOSSES.register
class HausdorffDistance(LabelLoss):
    """`dice_ce`, and squared errors times the distances from both borders.

    (p - g)^2 (d_p^alpha + d_g^alpha), with d the distance from the border of what is
    predicted (p over 0.5) and of what is annotated, divided by the patch's diagonal.
    Distances are made on the device that trains. For classes that exclude each other,
    and for regions.

    Parameters
    ----------
    batch_dice : bool
        Sums are taken over the whole batch, not over each sample alone.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.
    weight : float
        Of this term; Dice and cross-entropy have 1.
    alpha : float
        Power of the distances.
    spacing : sequence of float, optional
        Edge of a voxel along each axis; the trainer gives that of the patch.

    References
    ----------
    .. [1] Karimi, Salcudean, "Reducing the Hausdorff distance in medical image
       segmentation with convolutional neural networks", IEEE TMI 39, 2020.
       doi:10.1109/TMI.2019.2930068
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        regions: Sequence[Sequence[int]] | None = None,
        ignore_index: int | None = None,
        partly: Partly | None = None,
        weight: float = 1.0,
        alpha: float = 2.0,
        spacing: Sequence[float] | None = None,
    ) -> None:
        super().__init__(
            batch_dice, regions=regions, ignore_index=ignore_index, partly=partly
        )
        check_weights("hausdorff", weight=weight, alpha=alpha)
        self.weight = weight
        self.alpha = alpha
        self.spacing = spacing

    def of(self, seen: Seen) -> Tensor:
        p, g = seen.p, seen.g
        far = torch.zeros_like(g)
        for masks in ((p.detach() > 0.5) & (seen.known > 0), g > 0):
            one = border_distance(seen.on_grid(masks), self.spacing).reshape(g.shape)
            far += (one / diagonal(seen.shape, self.spacing)) ** self.alpha
        counts = seen.known * seen.spoken_of[..., None]
        term = self.mean((p - g).square() * far, counts)
        usual = dice_and_entropy(seen, self.batch_dice, self.batch)
        return usual + self.weight * term
