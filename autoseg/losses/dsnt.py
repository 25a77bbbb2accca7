"""Distance of a heatmap's mean place, and how far its shape is from a Gaussian.

Legend: B batch, K landmarks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from autoseg.losses import LOSSES
from autoseg.losses.base import Loss
from autoseg.losses.points import PointLoss, example_target, gaussians


@LOSSES.register
class ExpectedPlace(PointLoss):
    """Squared distance between the mean of a softmax over space and the point.

    Added are the Jensen-Shannon divergence of the softmax from a Gaussian, as in [1]_,
    and, which is ours, the binary cross-entropy of whether the point is in the patch at
    all: its odds are the sum of the exponentials, as in `spatial_cross_entropy`.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    sigma : sequence of float
        See `PointLoss`.
    weight : float
        Of the distance, which is in parts of the patch's edges.

    References
    ----------
    .. [1] Nibali et al., "Numerical coordinate regression with convolutional neural
       networks", 2018. arXiv:1801.07372
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        sigma: Sequence[float] = (1.5,),
        weight: float = 10.0,
    ) -> None:
        super().__init__(batch_dice, sigma=sigma)
        self.weight = weight

    def of_each(self, logits: Tensor, places: Tensor, here: Tensor) -> Tensor:
        shape = logits.shape[2:]
        flat = logits.flatten(2)
        log_p = flat - flat.logsumexp(2, keepdim=True)
        odds = flat.logsumexp(2)
        presence = functional.softplus(torch.where(here, -odds, odds))
        p = log_p.exp()
        target = gaussians(places, here, shape, self.widths(len(shape))).flatten(2)
        t = target / target.sum(2, keepdim=True).clamp(min=1e-30)
        log_t = t.clamp(min=1e-30).log()
        log_m = torch.logaddexp(log_p, log_t) - math.log(2)
        divergence = 0.5 * (p * (log_p - log_m) + t * (log_t - log_m)).sum(2)
        apart = self._squares(p.reshape(logits.shape), t.reshape(logits.shape))
        return presence + torch.where(here, divergence + self.weight * apart, 0.0)

    def _squares(self, p: Tensor, t: Tensor) -> Tensor:
        """Return the squared distance of two mean places, in parts of the edges."""
        total = p.new_zeros(p.shape[:2])
        for axis, size in enumerate(p.shape[2:]):
            grid = torch.arange(size, device=p.device, dtype=p.dtype) / size
            others = [2 + i for i in range(p.ndim - 2) if i != axis]
            apart = (((p - t).sum(others) if others else p - t) * grid).sum(2)
            total = total + apart**2
        return total

    def start_bias(self, patch: Sequence[int]) -> float:
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
