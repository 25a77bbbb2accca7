"""Dice and cross-entropy, and how much of annotated center lines is found.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._dice import SMOOTH
from autoseg.losses._labels import LabelLoss, Partly, Seen, dice_and_entropy
from autoseg.losses._skeleton import dilated, soft_skeleton
from autoseg.losses._tversky import check_weights


@LOSSES.register
class SkeletonRecall(LabelLoss):
    """`dice_ce` minus the share of the annotated skeletons that is predicted.

    Skeletons are those of the annotation alone, made wider by a voxel, so that nothing
    of them is kept for the backward pass: cheaper than `cl_dice`. For classes that
    exclude each other, and for regions.

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
    .. [1] Kirchhoff et al., "Skeleton recall loss for connectivity conserving and
       resource efficient segmentation of thin tubular structures", ECCV 2024.
       doi:10.1007/978-3-031-72980-5_13. There skeletons are thinned on the processor;
       here as in `cl_dice`, on the device that trains.
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
        check_weights("skeleton_recall", weight=weight, iterations=iterations)
        self.weight = weight
        self.iterations = iterations

    def of(self, seen: Seen) -> Tensor:
        masks = seen.on_grid(seen.g)
        wide = dilated(soft_skeleton(masks, self.iterations)) * masks
        tubes = wide.flatten(2) * seen.known

        def recall(found: Tensor, there: Tensor) -> Tensor:
            return (found + SMOOTH) / (there + SMOOTH)

        sums = (seen.p * tubes).sum(2), tubes.sum(2)
        usual = dice_and_entropy(seen, self.batch_dice, self.batch)
        return usual - self.weight * self.scored(recall, seen, *sums)
