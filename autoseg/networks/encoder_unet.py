"""U-Net whose encoder is one of classification, such as ResNet."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Literal

from autoseg.blueprints.declaration import option
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.context import squeezed
from autoseg.blueprints.rows.encoded import Encoded
from autoseg.networks import NETWORKS


@NETWORKS.register
class EncoderUNet(Encoded):
    """Nearest enlargement, a skip, two convolutions for each level.

    As in segmentation_models.pytorch, with its attention: ``scse`` gates the inputs and
    outputs of each level by channel and by voxel.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, "U-Net: convolutional networks for biomedical
       image segmentation", MICCAI 2015. arXiv:1505.04597
    .. [2] Roy, Navab, Wachinger, "Concurrent spatial and channel squeeze and excitation
       in fully convolutional networks", MICCAI 2018. arXiv:1803.02579
    """

    own = {"widths": [256, 128, 64, 32, 16], "attention": "none", "reduction": 16}
    own |= {"center": False}
    tiny = {"widths": [8, 8, 8, 8, 8], "reduction": 2}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw levels of ``widths`` channels, the coarsest first.

        With ``center``, two convolutions stand in front of them, as that library has
        them behind VGG.
        """
        x = features[-1]
        for place in (1, 2) if own["center"] else ():
            with net.scope(f"center.conv{place}"):
                x = layers.block(net, x, x.channels, 3)
        kind, less = own["attention"], own["reduction"]
        for number, width in enumerate(own["widths"]):
            skip = features[-2 - number]
            with net.scope(f"blocks.{number}"):
                if x.shape != skip.shape:
                    x = net.resize(x, skip, "nearest")
                if skip.number not in net.bare:
                    x = squeezed(net, net.cat(x, skip), kind, less, "attention1")
                for place in (1, 2):
                    with net.scope(f"conv{place}"):
                        x = layers.block(net, x, width, 3)
                x = squeezed(net, x, kind, less, "attention2")
        net.head(x, 3, name="head")

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        kinds = option("attention", Literal["none", "se", "scse"], "none")
        return {**super().options(), "attention": kinds}
