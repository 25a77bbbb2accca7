"""SA-UNet: one gate of voxels at the bottom of a U-Net."""

from __future__ import annotations

from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.context import spatial_gate
from autoseg.blueprints.rows.row import Row
from autoseg.networks import NETWORKS


@NETWORKS.register
class SAUNet(Row):
    """A plain U-Net whose deepest features are gated voxel by voxel.

    Its authors also drop blocks of features in training, which is not done here.

    References
    ----------
    .. [1] Guo et al., "SA-UNet: spatial attention U-Net for retinal vessel
       segmentation", ICPR 2020. arXiv:2004.03696
    """

    planned = {"down": "max_pool", "up": "deconv3"}

    @classmethod
    def bottom(cls, net: Drawing, layers: Layers, x: Tensor, **own: Any) -> Tensor:
        with net.scope("encoder.attention"):
            return spatial_gate(net, x)
