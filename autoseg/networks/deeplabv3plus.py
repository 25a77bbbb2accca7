"""DeepLabV3+: a dilated encoder seen with several dilations, and one skip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.context import aspp, separable
from autoseg.blueprints.rows.encoded import Encoded
from autoseg.networks import NETWORKS

SKIP = 48  # channels of what is told of the second reduction, as its authors have it


@NETWORKS.register
class DeepLabV3Plus(Encoded):
    """Features at a sixteenth, dilated; separable convolutions; a skip at a quarter.

    As in segmentation_models.pytorch, without dropout; the branch that is pooled to one
    voxel is normalized over its channels.

    References
    ----------
    .. [1] Chen et al., "Encoder-decoder with atrous separable convolution for semantic
       image segmentation", ECCV 2018. arXiv:1802.02611
    """

    strided = 4
    own = {"width": 256, "rates": [12, 24, 36]}
    tiny = {"width": 8, "rates": [1, 2]}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw branches of ``width`` channels with dilations of ``rates``."""
        width = own["width"]
        with net.scope("aspp"):
            x = aspp(net, layers, features[-1], width, own["rates"], apart=True)
        with net.scope("mix"):
            x = separable(net, layers, x, width)
        with net.scope("skip"):
            skip = layers.block(net, features[2], min(SKIP, width), 1)
        if x.shape != skip.shape:
            x = net.resize(x, skip, "corners")
        with net.scope("join"):
            x = separable(net, layers, net.cat(x, skip), width)
        net.head(x, like=net.image, mode="corners", name="head")
