"""What losses of landmarks have in common.

Legend: B batch, K landmarks of a chunk, L all of them, P patch, D axes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from autoseg.losses._dice import precise
from autoseg.losses.base import Loss

PRESENT, UNKNOWN = 1, 2  # autoseg.spec.points


class PointLoss(Loss):
    """A loss of outputs that have one channel for each landmark.

    Its target is small: coordinates and status. What is dense is made here, on the
    device, for as many landmarks at a time as the outputs have.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    sigma : sequence of float, length D or 1
        Standard deviation of the Gaussian target along each axis, in voxels.
    """

    takes_points: ClassVar[bool] = True
    sums_up: ClassVar[bool] = True

    def __init__(
        self, batch_dice: bool = False, *, sigma: Sequence[float] = (1.5,)
    ) -> None:
        super().__init__()
        self.batch_dice = batch_dice
        self.sigma = tuple(sigma)

    @abstractmethod
    def of_each(self, logits: Tensor, places: Tensor, here: Tensor) -> Tensor:
        """Return the loss of each landmark, float32 or better, of shape (B, K).

        Parameters
        ----------
        logits : Tensor of float32 or float64, shape (B, K, *P)
            Outputs.
        places : Tensor of that type, shape (B, K, D)
            Coordinates in voxels of the patch; 0 where there is no point.
        here : Tensor of bool, shape (B, K)
            Whether the point is in the patch. Otherwise it is absent, or elsewhere.
        """

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the mean loss of all landmarks that are not unknown.

        Parameters
        ----------
        logits : Tensor, shape (B, K, *P)
            Of any floating dtype.
        target : Tensor of float32, shape (B, K, D + 1)
            Coordinates in voxels of the patch, then the status.
        """
        return self.averaged(self.summed(logits, target), target)

    def averaged(self, total: Tensor, target: Tensor) -> Tensor:
        """Return a sum, as `summed` gives it, as the mean over the whole batch.

        Parameters
        ----------
        total : Tensor
            Of all landmarks of the samples that are here.
        target : Tensor, shape (B, L, D + 1)
            As in `forward`.
        """
        total, count = self.batch.total(total, (target[..., -1] != UNKNOWN).sum())
        return total / count.clamp(min=1).to(total.dtype)

    def summed(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the sum over landmarks that are not unknown; see `forward`."""
        with torch.autocast(logits.device.type, enabled=False):
            z, status = logits.to(precise(logits)), target[..., -1]
            places = target[..., :-1].to(z.dtype).nan_to_num()
            shape = places.new_tensor(z.shape[2:])
            within = ((places >= -0.5) & (places < shape - 0.5)).all(-1)
            each = self.of_each(z, places, within & (status == PRESENT))
            return (each * (status != UNKNOWN)).sum()

    def start_bias(self, outputs: Sequence[int]) -> float:
        return 0.0

    def widths(self, dim: int) -> tuple[float, ...]:
        """Return sigma for each of D axes."""
        return self.sigma if len(self.sigma) == dim else self.sigma[:1] * dim


def profiles(
    places: Tensor, shape: Sequence[int], sigma: Sequence[float]
) -> list[Tensor]:
    """Return Gaussians about places along each axis, with maximum 1 at the place.

    Parameters
    ----------
    places : Tensor, shape (B, K, D)
        Coordinates in voxels.
    shape : sequence of int, length D
        P.
    sigma : sequence of float, length D
        In voxels.

    Returns
    -------
    list of Tensor, each of shape (B, K, P_axis)
        The dense target is their outer product.
    """
    found = []
    for axis, (size, width) in enumerate(zip(shape, sigma, strict=True)):
        grid = torch.arange(size, device=places.device, dtype=places.dtype)
        found.append(torch.exp(-0.5 * ((grid - places[..., axis, None]) / width) ** 2))
    return found


def outer(along: Sequence[Tensor]) -> Tensor:
    """Return the outer product (B, K, *P) of profiles (B, K, P_axis)."""
    dim = len(along)
    product: Tensor | None = None
    for axis, one in enumerate(along):
        one = one.reshape(*one.shape[:2], *[1] * axis, -1, *[1] * (dim - axis - 1))
        product = one if product is None else product * one
    if product is None:
        raise ValueError("a patch has one axis at least")
    return product


def gaussians(
    places: Tensor, here: Tensor, shape: Sequence[int], sigma: Sequence[float]
) -> Tensor:
    """Return dense targets (B, K, *P) with maximum 1; 0 where no point is here."""
    heat = outer(profiles(places, shape, sigma))
    return heat * here.reshape(*here.shape, *[1] * len(shape))


def expectation(values: Tensor, along: Sequence[Tensor]) -> Tensor:
    """Return the sum of values (B, K, *P) times an outer product, without making it."""
    for one in reversed(along):
        values = torch.einsum("bk...x,bkx->bk...", values, one)
    return values


def in_balance(cost: Tensor, places: Tensor, here: Tensor, loss: PointLoss) -> Tensor:
    """Return the mean of a cost, and its mean where the target's Gaussian is, added.

    Nearly all voxels are background, and an empty heatmap is nearly right: a plain mean
    learns that first, and nothing for long. Here the voxels of a peak weigh as much
    together as all others, in a patch of whatever size.

    Parameters
    ----------
    cost : Tensor, shape (B, K, *P)
        Of each voxel.
    places : Tensor, shape (B, K, D)
        Coordinates in voxels.
    here : Tensor of bool, shape (B, K)
        Whether the point is in the patch; elsewhere there is background only.
    loss : PointLoss
        Says how wide the Gaussian is.

    Returns
    -------
    Tensor, shape (B, K)
    """
    shape = cost.shape[2:]
    along = profiles(places, shape, loss.widths(len(shape)))
    along = [one / one.sum(-1, keepdim=True).clamp(min=1e-30) for one in along]
    near = expectation(cost, along)
    return cost.flatten(2).mean(2) + torch.where(here, near, 0.0)


def example_target(kind: type[PointLoss]) -> tuple[PointLoss, Tensor, Tensor]:
    """Return a loss, a target (2, 3, 3) for a patch of 10 x 12, and who is in it."""
    target = torch.tensor(
        [
            [[4.25, 6.0, 1], [7.0, 3.5, 1], [0, 0, 0]],
            [[2.0, 8.75, 1], [0, 0, 0], [5.5, 5.5, 1]],
        ]
    )
    return kind(sigma=[1.2]), target, target[..., -1] == 1
