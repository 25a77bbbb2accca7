"""U-Net++ whose encoder is one of classification, such as ResNet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.encoded import Encoded
from autoseg.networks import NETWORKS


@NETWORKS.register
class EncoderUNetPlusPlus(Encoded):
    """Nested nodes on all reductions of the encoder; one level more gives the head.

    As in segmentation_models.pytorch: the image's own resolution has one node, and
    there is no deep supervision.

    References
    ----------
    .. [1] Zhou et al., "UNet++: a nested U-Net architecture for medical image
       segmentation", DLMIA 2018. arXiv:1807.10165
    """

    needs_half = True
    own = {"widths": [256, 128, 64, 32, 16]}
    tiny = {"widths": [8, 8, 8, 8, 8]}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw node after node; the last of each level has ``widths`` channels."""
        rows = [[x] for x in features[1:]]  # finest first
        for column in range(1, len(rows)):
            for number in range(len(rows) - column):
                row, below = rows[number], rows[number + 1][column - 1]
                last = number + column == len(rows) - 1
                # The widths of the way up are those of the nodes on its diagonal.
                width = row[0].channels
                if last:
                    width = own["widths"][column - 1]
                with net.scope(f"nodes.{number}.{column}"):
                    x = _enlarged(net, below, row[0])
                    row.append(_convs(net, layers, net.cat(x, *row[::-1]), width))
        with net.scope("nodes.image"):
            x = _enlarged(net, rows[0][-1], net.image)
            x = _convs(net, layers, x, own["widths"][-1])
        net.head(x, 3, name="head")


def _convs(net: Drawing, layers: Layers, x: Tensor, width: int) -> Tensor:
    for place in (1, 2):
        with net.scope(f"conv{place}"):
            x = layers.block(net, x, width, 3)
    return x


def _enlarged(net: Drawing, x: Tensor, like: Tensor) -> Tensor:
    return x if x.shape == like.shape else net.resize(x, like, "nearest")
