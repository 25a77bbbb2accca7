"""Norms that torch has in a slower form, or not at all.

Legend: B batch, C channels, S spatial shape.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class _InstanceNorm(nn.modules.instancenorm._InstanceNorm):
    """Instance norm that trains one sample without copying it.

    torch's own brings images to channels first and so the next layer back again, which
    is an eighth of a training step on a CPU. For one sample, batch norm computes the
    same numbers in whatever layout they are.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) == 1:
            return functional.batch_norm(
                x, None, None, self.weight, self.bias, training=True, eps=self.eps
            )
        return super().forward(x)


class _InstanceNorm2d(_InstanceNorm, nn.InstanceNorm2d):
    pass


class _InstanceNorm3d(_InstanceNorm, nn.InstanceNorm3d):
    pass


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each voxel."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


INSTANCE: dict[int, type[nn.Module]] = {2: _InstanceNorm2d, 3: _InstanceNorm3d}
