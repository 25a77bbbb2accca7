"""Rays from centers of objects, as voxels of these say.

Legend: B batch, C channels, P patch, L layers, R rays, M objects, K voxels of each that
are asked, N voxels, T places along a ray.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from autoseg.losses import LOSSES
from autoseg.losses._boxes import boxes_of
from autoseg.losses._seeds import SeedLoss, Seen
from autoseg.losses.base import Loss
from autoseg.spec.arrays.polar import STEP, directions

AT_ONCE = 2**20  # places along rays that are looked at together


@LOSSES.register
class CenterRays(SeedLoss):
    """See `SeedLoss`; in place of boxes centers, in place of masks rays from there.

    The center of an object is the middle of its voxels, or its voxel nearest to that. A
    ray goes to where the object ends for the last time. What is told is the logarithm
    of its length, and an error of that counts as much as the ray's square: as the
    area does that is wrong, so that it stands for the IoU as the loss of [1]_ does.
    Planes only.

    Parameters
    ----------
    batch_dice : bool
        Without meaning here.
    scale : float
        Voxels that a distance of 1 is.
    box, mask : float
        Weights of centers, and of rays.
    beta : float
        Distance, or logarithm of a ratio, below which an error counts by its square.
    ignore_index : int, optional
        Voxels with this value in a layer do not count.

    References
    ----------
    .. [1] Xie et al., "PolarMask: single shot instance segmentation with polar
       representation", CVPR 2020. arXiv:1909.13226
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        scale: float = 10.0,
        box: float = 1.0,
        mask: float = 1.0,
        beta: float = 1.0,
        ignore_index: int | None = None,
    ) -> None:
        super().__init__(2, scale, box, mask, beta, ignore_index)

    def place(self, output: Tensor, layers: Tensor) -> Tensor:
        owner = torch.where((layers > 0).sum(0) == 1, layers.clamp(min=0).sum(0), 0)
        places = (owner > 0).nonzero()
        if not len(places):
            return 0 * output[1:3].sum()
        ids, _, _ = boxes_of(layers)
        of = torch.searchsorted(ids, owner[owner > 0].to(ids.dtype))
        truth = (centers_of(layers, ids)[of] - places - 0.5) / self.scale
        said = output[1:3, owner > 0].T
        truth = truth.to(said.dtype)
        wrong = smooth_l1_loss(said, truth, reduction="none", beta=self.beta).mean(1)
        sums = wrong.new_zeros(len(ids)).index_add(0, of, wrong)
        return (sums / torch.bincount(of, minlength=len(ids)).clamp(min=1)).sum()

    def compare(self, output: Tensor, seen: Seen) -> Tensor:
        said = seen.told(output[3:]).permute(1, 2, 0)
        rays = torch.from_numpy(directions(said.shape[2])).to(said.device)
        truth = (_reach(seen, rays) / self.scale).to(said.dtype)[:, None]
        aim = truth.log().expand_as(said)
        wrong = smooth_l1_loss(said, aim, reduction="none", beta=self.beta)
        area = truth.square()
        return ((wrong * area).sum(2) / area.sum(2)).mean(1)

    @classmethod
    def example(cls) -> tuple[Loss, Tensor, Tensor]:
        target = torch.zeros((2, 2, 8, 9), dtype=torch.int32)
        target[:, 0, 1:5, 1:5] = 1
        target[:, 1, 3:7, 3:7] = 7  # shares a corner with the first
        loss = cls()
        output = torch.zeros((2, 3 + 8, 8, 9))
        output[:, 0] = -200.0
        at = torch.stack(
            torch.meshgrid(torch.arange(8), torch.arange(9), indexing="ij")
        )
        several = (target > 0).sum(1)
        rays = torch.from_numpy(directions(8))
        for layer, middle in ((0, 3.0), (1, 5.0)):
            own = (target[0, layer] > 0) & (several[0] == 1)
            one = target[0, layer : layer + 1]
            ids, low, high = boxes_of(one)
            seen = Seen(one, torch.ones(8, 9) > 0, ids, low, high, low[:, None])
            output[:, 0][:, own] = 200.0
            output[:, 1:3][:, :, own] = ((middle - 0.5 - at) / 10)[:, own]
            output[:, 3:][:, :, own] = (_reach(seen, rays)[0] / 10).log()[:, None]
        return loss, target, output


def centers_of(layers: Tensor, ids: Tensor) -> Tensor:
    """Return the centers (M, D) of objects, whose voxels' middles are at halves.

    Parameters
    ----------
    layers : Tensor of int, shape (L, *P)
        Their ids.
    ids : Tensor of int, shape (M,)
        All of them, ascending.
    """
    places = (layers > 0).nonzero()[:, 1:]
    of = torch.searchsorted(ids, layers[layers > 0])
    count = torch.bincount(of, minlength=len(ids))
    middles = places + 0.5
    sums = middles.new_zeros((len(ids), middles.shape[1])).index_add(0, of, middles)
    center = sums / count[:, None]
    off = center[of] - middles
    own = ((off >= -0.5) & (off < 0.5)).all(1)  # the voxel that has it
    away = off.square().sum(1)
    inside = torch.zeros_like(count).index_add(0, of, own.long()) > 0
    least = away.new_zeros(len(ids)).scatter_reduce(
        0, of, away, "amin", include_self=False
    )
    rows = torch.arange(len(of), device=of.device)
    last = len(of)
    first = torch.full_like(count, last).scatter_reduce(
        0, of, torch.where(away <= least[of], rows, last), "amin"
    )
    return torch.where(inside[:, None], center, middles[first])


@torch.no_grad()
def _reach(seen: Seen, rays: Tensor) -> Tensor:
    """Return how far objects go along rays, (M, R), in voxels; see `polar.reach`."""
    ids = torch.unique(seen.layers[seen.layers > 0])
    center = centers_of(seen.layers, ids)[torch.searchsorted(ids, seen.ids)]
    size = (seen.high - seen.low).double().square().sum(1).sqrt()
    steps = int(torch.ceil(size.max() / STEP)) + 1
    some = max(1, AT_ONCE // (len(rays) * steps))
    parts = zip(seen.ids.split(some), center.split(some), strict=True)
    return torch.cat(
        [_along(seen._replace(ids=few), at, rays, steps) for few, at in parts]
    )


def _along(seen: Seen, center: Tensor, rays: Tensor, steps: int) -> Tensor:
    """Return how far so many steps along rays from their centers find objects."""
    size = seen.high.new_tensor(seen.counted.shape)
    far = torch.arange(steps, device=rays.device) * STEP
    along = rays[:, None] * far[:, None]  # (R, T, 2)
    places = (center[:, None, None] + along).floor().long().flatten(1, 2)
    within = ((places >= 0) & (places < size)).all(-1)
    places = torch.where(within[..., None], places, 0)
    inside = (seen.looked_at(places)[1] & within).unflatten(1, (len(rays), steps))
    reached: Tensor = (inside * far).amax(2) + STEP / 2
    return reached
