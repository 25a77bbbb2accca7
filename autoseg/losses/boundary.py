"""Dice and cross-entropy, and how far from the border mistakes are.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._distance import diagonal, signed_distance
from autoseg.losses._labels import LabelLoss, Partly, Seen, dice_and_entropy
from autoseg.losses._tversky import check_weights


@LOSSES.register
class Boundary(LabelLoss):
    """`dice_ce`, and the mean of probabilities times the distance from the border.

    The distance is less than 0 inside; it is divided by the patch's diagonal, and made
    on the device that trains. A class that is not in a sample has none. For classes
    that exclude each other, and for regions.

    Parameters
    ----------
    batch_dice : bool
        Sums are taken over the whole batch, not over each sample alone.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.
    weight : float
        Of this term; Dice and cross-entropy have 1.
    spacing : sequence of float, optional
        Edge of a voxel along each axis; the trainer gives that of the patch.

    References
    ----------
    .. [1] Kervadec et al., "Boundary loss for highly unbalanced segmentation", Medical
       Image Analysis 67, 2021. doi:10.1016/j.media.2020.101851
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        regions: Sequence[Sequence[int]] | None = None,
        ignore_index: int | None = None,
        partly: Partly | None = None,
        weight: float = 1.0,
        spacing: Sequence[float] | None = None,
    ) -> None:
        super().__init__(
            batch_dice, regions=regions, ignore_index=ignore_index, partly=partly
        )
        check_weights("boundary", weight=weight)
        self.weight = weight
        self.spacing = spacing

    def of(self, seen: Seen) -> Tensor:
        masks = seen.on_grid(seen.g > 0)
        far = signed_distance(masks, self.spacing).reshape(seen.g.shape)
        far = far / diagonal(seen.shape, self.spacing)
        counts = seen.known * seen.spoken_of[..., None]
        term = self.mean(seen.p * far, counts)
        usual = dice_and_entropy(seen, self.batch_dice, self.batch)
        return usual + self.weight * term
