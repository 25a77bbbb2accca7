"""PSPNet: features at an eighth, beside what they are when pooled to few voxels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.context import pyramid
from autoseg.blueprints.rows.encoded import Encoded
from autoseg.networks import NETWORKS


@NETWORKS.register
class PSPNet(Encoded):
    """The first three reductions of an encoder, and a pyramid of pools.

    As in segmentation_models.pytorch, without its dropout.

    References
    ----------
    .. [1] Zhao et al., "Pyramid scene parsing network", CVPR 2017. arXiv:1612.01105
    """

    reductions = 3
    strided = 3
    own = {"pools": [1, 2, 3, 6], "width": 512}
    tiny = {"pools": [1, 2], "width": 16}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw pools of so many voxels, mixed to ``width`` channels."""
        x = pyramid(net, layers, features[-1], own["pools"])
        with net.scope("mix"):
            x = layers.block(net, x, own["width"], 1)
        net.head(x, 3, like=net.image, mode="corners", name="head")
