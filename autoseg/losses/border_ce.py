"""Cross-entropy with the weights of the first U-Net.

Legend: B batch, F channels of the foreground, S spatial shape, N voxels of one sample.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoseg.errors import PlanError
from autoseg.losses import LOSSES
from autoseg.losses._labels import LabelLoss, Partly, Seen
from autoseg.losses._tversky import check_weights

REACH = 4  # widths, beyond which a weight adds less than 0.04 %


@LOSSES.register
class BorderCrossEntropy(LabelLoss):
    """Mean cross-entropy, with more weight where two objects nearly touch.

    The weight of a background voxel is 1 + height exp(-(d1 + d2)^2 / (2 sigma^2)), with
    d1 and d2 the distances to the nearest two objects (pieces of the foreground that
    hang together by faces), found on the processor. Classes may have weights, too. For
    classes that exclude each other, and for regions.

    Parameters
    ----------
    batch_dice : bool
        Not looked at.
    regions, ignore_index, partly
        See `autoseg.losses._labels.LabelLoss`.
    height : float
        Of the weight where two objects touch.
    sigma : float
        How far it reaches, in voxels.
    weights : sequence of float, optional
        Of each channel, the background's first; by default 1. Of regions, of each
        region.

    References
    ----------
    .. [1] Ronneberger et al., "U-Net: convolutional networks for biomedical image
       segmentation", MICCAI 2015. doi:10.1007/978-3-319-24574-4_28
    """

    def __init__(
        self,
        batch_dice: bool = False,
        *,
        regions: Sequence[Sequence[int]] | None = None,
        ignore_index: int | None = None,
        partly: Partly | None = None,
        height: float = 10.0,
        sigma: float = 5.0,
        weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(
            batch_dice, regions=regions, ignore_index=ignore_index, partly=partly
        )
        check_weights("border_ce", height=height, sigma=sigma)
        self.height = height
        self.sigma = sigma
        self.weights = weights

    def of(self, seen: Seen) -> Tensor:
        inside = seen.on_grid((seen.g > 0).any(1, keepdim=True)).cpu().numpy()
        made = [border_weights(one[0], self.height, self.sigma) for one in inside]
        borders = torch.from_numpy(np.stack(made)).to(seen.z).flatten(1)[:, None]
        weights = borders * seen.counts
        if self.weights is not None:
            weights = weights * self._of_channels(seen)
        return self.mean(seen.entropy, weights)

    def _of_channels(self, seen: Seen) -> Tensor:
        """Return the weight of what is said of each voxel, as `Seen.entropy`."""
        own = seen.z.new_tensor(list(self.weights or ()))
        if len(own) != seen.z.shape[1]:
            raise PlanError(
                f"border_ce: {len(own)} weights for {seen.z.shape[1]} channels."
            )
        if not seen.exclusive:
            return own[None, :, None]
        said = (seen.says != 0).to(own.dtype)
        return (said * own[:, None]).sum(1, keepdim=True) / said.sum(1, keepdim=True)


def border_weights(inside: Any, height: float, sigma: float) -> Any:
    """Return the weight of each voxel of a patch, by its nearest two objects.

    Parameters
    ----------
    inside : ndarray of bool, shape S
        The foreground.
    height, sigma : float
        See `BorderCrossEntropy`.

    Returns
    -------
    ndarray of float32, shape S
        1 in objects, and far from them.
    """
    from scipy.ndimage import distance_transform_edt, find_objects, label

    near = np.full((2, *inside.shape), np.inf, np.float32)  # the nearest two distances
    reach = math.ceil(REACH * sigma)
    objects, _ = label(inside)
    for number, box in enumerate(find_objects(objects), start=1):
        wide = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in box)
        far = distance_transform_edt(objects[wide] != number).astype(np.float32)
        first, second = near[0][wide], near[1][wide]
        np.minimum(second, np.maximum(first, far), out=second)
        np.minimum(first, far, out=first)
    weights = 1 + height * np.exp(-np.square(near.sum(0)) / (2 * sigma**2))
    return np.where(inside, 1.0, weights).astype(np.float32)
