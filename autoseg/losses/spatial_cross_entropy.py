"""Cross-entropy over all places of a landmark, and one outcome more: it is not here.

Legend: B batch, K landmarks, P patch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from autoseg.losses import LOSSES
from autoseg.losses.base import Loss
from autoseg.losses.points import (
    PointLoss,
    example_target,
    expectation,
    gaussians,
    profiles,
)


@LOSSES.register
class SpatialCrossEntropy(PointLoss):
    """Where is it, as a choice among the patch's voxels and "nowhere".

    The logit of "nowhere" is 0, so that outputs of different patches can be compared,
    and that a point is absent is learnt like any other outcome: with logits z, the
    point is present with the probability ``sum(exp z) / (1 + sum(exp z))``. For a point
    in the patch the loss is ``log(1 + sum(exp z)) - sum(t z)`` with a Gaussian t of sum
    1, else ``log(1 + sum(exp z))``. A softmax over space is the loss of integral
    regression's heatmaps [1]_; the outcome "nowhere" is ours.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    sigma : sequence of float
        See `PointLoss`.

    References
    ----------
    .. [1] Nibali et al., "Numerical coordinate regression with convolutional neural
       networks", 2018. arXiv:1801.07372
    """

    def of_each(self, logits: Tensor, places: Tensor, here: Tensor) -> Tensor:
        shape = logits.shape[2:]
        anywhere = functional.softplus(torch.logsumexp(logits.flatten(2), dim=2))
        along = profiles(places, shape, self.widths(len(shape)))
        along = [one / one.sum(-1, keepdim=True).clamp(min=1e-30) for one in along]
        return anywhere - torch.where(here, expectation(logits, along), 0.0)

    def start_bias(self, patch: Sequence[int]) -> float:
        # Present with a chance of one half, anywhere.
        return -math.log(math.prod(patch))

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        loss, target, here = example_target(cls)
        heat = gaussians(target[..., :-1], here, (10, 12), loss.widths(2))
        present = torch.log(heat / heat.sum((2, 3), keepdim=True).clamp(min=1e-30))
        logits = torch.where(
            here[..., None, None], present.clamp(min=-80) + 40, torch.tensor(-60.0)
        )
        return loss, target, logits
