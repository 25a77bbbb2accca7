"""Masks that are matched with objects one to one, and then compared with them.

Legend: B batch, Q queries, P patch, L layers, M objects, N voxels.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from autoseg.losses import LOSSES
from autoseg.losses._compared import ComparedMasks
from autoseg.losses._masks import SMOOTH

POINTS = 4096  # voxels, evenly spread, that matching looks at
NEVER = 1e9  # the cost of what cannot be


@LOSSES.register
class SetMatching(ComparedMasks):
    """Cross-entropy and Dice of each object's mask, and how sure each query is.

    Objects and queries are matched one to one with the least sum of costs by the
    Hungarian method [1]_: how unsure the query is, and cross-entropy and Dice of its
    mask with the object. Then the masks of matched queries are compared with their
    objects, and of all queries, how sure they are, with whether they were matched [2]_.

    Of maps that voxels of a coarse resolution tell of, (B, *T, *S), or of what they are
    made of, (B, R + 1, 2 T + N), each voxel's is compared with the object that it is of
    alone: there is nothing to match.

    A query is as sure of an object as of the voxel that it is the surest of, so that
    the map of one that stands for none is empty.

    Parameters
    ----------
    batch_dice : bool
        Without meaning here.
    sure : float
        Weight of how sure queries are, in matching and loss.
    entropy : float
        Weight of the masks' cross-entropy.
    dice : float
        Weight of their Dice.
    empty : float
        Weight of a query that was not matched, beside one that was.
    even : bool
        In cross-entropy a voxel inside counts as one outside, for its share of the
        object; else inside and outside have equal parts.
    ignore_index : int, optional
        Voxels with this value in a layer do not count.

    References
    ----------
    .. [1] Carion et al., "End-to-end object detection with transformers", ECCV 2020.
       arXiv:2005.12872
    .. [2] Cheng et al., "Masked-attention mask transformer for universal image
       segmentation", CVPR 2022. arXiv:2112.01527
    """

    @torch.no_grad()
    def stands(
        self, logits: Tensor, sure: Tensor, objects: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        from scipy.optimize import linear_sum_assignment

        step = max(1, logits.shape[1] // POINTS)
        some, truth = logits[:, ::step], objects[:, ::step].to(logits.dtype)
        p = some.sigmoid()
        inside, outside = truth.sum(1), (1 - truth).sum(1)
        # Of logits x, the cross-entropy is softplus(x) - x where the object is.
        soft = torch.nn.functional.softplus(some)
        mine = (soft - some) @ truth.T / inside.clamp(min=1)
        rest = soft @ (1 - truth).T / outside.clamp(min=1)
        both = p @ truth.T
        dice = (2 * both + SMOOTH) / (p.sum(1)[:, None] + inside + SMOOTH)
        cost = self.entropy * (mine + rest) / 2 - self.dice * dice
        cost -= self.sure * sure.sigmoid()[:, None]
        # Of a network that diverged anything stands for anything: its loss is no number
        # all the same, and the trainer says so.
        cost = cost.double().nan_to_num(0, NEVER, -NEVER)
        found = linear_sum_assignment(np.asarray(cost.cpu()))
        rows, columns = (torch.from_numpy(x).to(logits.device) for x in found)
        return rows, columns, rows[:0]
