"""The Jaccard index itself, made convex.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._labels import LabelLoss, Seen


@LOSSES.register
class Lovasz(LabelLoss):
    """Mean Lovasz extension of the Jaccard loss, of the foreground.

    Of each class that is annotated in a sample: the errors of its voxels, largest
    first, weighted by how much each makes the intersection over union smaller. A class
    that is not there counts by its largest probability. For classes that exclude each
    other, and for regions.

    Parameters
    ----------
    batch_dice : bool
        Sums are taken over the whole batch, not over each sample alone.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.

    References
    ----------
    .. [1] Berman et al., "The Lovasz-Softmax loss: a tractable surrogate for the
       optimization of the intersection-over-union measure in neural networks", CVPR
       2018. doi:10.1109/CVPR.2018.00464
    """

    sums_up = False  # errors are put in order over the batch, if it counts as one

    def of(self, seen: Seen) -> Tensor:
        g, errors = seen.g, (seen.g - seen.p).abs() * seen.known
        counts = seen.spoken_of
        if self.batch_dice:
            errors = (errors * counts[..., None]).movedim(1, 0).flatten(1)[None]
            g = (g * counts[..., None]).movedim(1, 0).flatten(1)[None]
            counts = counts.amax(0, keepdim=True)
        ordered, places = errors.sort(dim=2, descending=True)
        lost = (ordered * _slopes(g.gather(2, places))).sum(2)
        return (lost * counts).sum() / counts.sum().clamp(min=1)


def _slopes(g: Tensor) -> Tensor:
    """Return how much each voxel, in order, adds to one minus the Jaccard index."""
    whole = g.sum(2, keepdim=True)
    both = whole - g.cumsum(2)
    either = whole + (1 - g).cumsum(2)
    lost = 1 - both / either
    return torch.cat((lost[..., :1], lost[..., 1:] - lost[..., :-1]), dim=2)
