"""Dice and cross-entropy, and how much of center lines is found.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._dice import SMOOTH
from autoseg.losses._labels import LabelLoss, Partly, Seen, dice_and_entropy
from autoseg.losses._skeleton import soft_skeleton
from autoseg.losses._tversky import check_weights


@LOSSES.register
class CenterLineDice(LabelLoss):
    """`dice_ce` minus soft clDice of the foreground.

    clDice: the harmonic mean of the share of the predicted skeleton that is annotated,
    and of the annotated skeleton that is predicted. For tubes: vessels, nerves, roads.
    For classes that exclude each other, and for regions.

    Parameters
    ----------
    batch_dice : bool
        Sums are taken over the whole batch, not over each sample alone.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.
    weight : float
        Of this term; Dice and cross-entropy have 1.
    iterations : int
        The radius of the thickest tube, in voxels.

    References
    ----------
    .. [1] Shit et al., "clDice - a novel topology-preserving loss function for tubular
       structure segmentation", CVPR 2021. doi:10.1109/CVPR46437.2021.01629
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        regions: Sequence[Sequence[int]] | None = None,
        ignore_index: int | None = None,
        partly: Partly | None = None,
        weight: float = 1.0,
        iterations: int = 5,
    ) -> None:
        super().__init__(
            batch_dice, regions=regions, ignore_index=ignore_index, partly=partly
        )
        check_weights("cl_dice", weight=weight, iterations=iterations)
        self.weight = weight
        self.iterations = iterations

    def of(self, seen: Seen) -> Tensor:
        p, g = seen.p * seen.known, seen.g
        own, drawn = (
            soft_skeleton(seen.on_grid(maps), self.iterations).flatten(2)
            for maps in (p, g)
        )

        def cl_dice(*sums: Tensor) -> Tensor:
            precision = (sums[0] + SMOOTH) / (sums[1] + SMOOTH)
            recall = (sums[2] + SMOOTH) / (sums[3] + SMOOTH)
            return 2 * precision * recall / (precision + recall)

        sums = (own * g).sum(2), own.sum(2), (drawn * p).sum(2), drawn.sum(2)
        usual = dice_and_entropy(seen, self.batch_dice, self.batch)
        return usual - self.weight * self.scored(cl_dice, seen, *sums)
