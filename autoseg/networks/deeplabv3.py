"""DeepLabV3: a dilated encoder, looked at with several dilations and as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.context import aspp
from autoseg.blueprints.rows.encoded import Encoded
from autoseg.networks import NETWORKS


@NETWORKS.register
class DeepLabV3(Encoded):
    """Features at an eighth, dilated, and no skips.

    As in torchvision and segmentation_models.pytorch, without dropout; the branch that
    is pooled to one voxel is normalized over its channels.

    References
    ----------
    .. [1] Chen et al., "Rethinking atrous convolution for semantic image segmentation",
       2017. arXiv:1706.05587
    """

    strided = 3
    own = {"width": 256, "rates": [12, 24, 36]}
    tiny = {"width": 8, "rates": [1, 2]}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw branches of ``width`` channels with dilations of ``rates``."""
        with net.scope("aspp"):
            x = aspp(net, layers, features[-1], own["width"], own["rates"])
        with net.scope("mix"):
            x = layers.block(net, x, own["width"], 3)
        net.head(x, like=net.image, mode="corners", name="head")
