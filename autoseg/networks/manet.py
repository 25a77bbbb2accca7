"""MAnet: voxels at the bottom look at each other, and levels gate their channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.context import squeeze_excite
from autoseg.blueprints.rows.encoded import Encoded
from autoseg.networks import NETWORKS


@NETWORKS.register
class MAnet(Encoded):
    """Position attention at the bottom, fusion of channels on the way up.

    As in segmentation_models.pytorch. The bottom's map of all voxels by all voxels
    grows with the square of the patch.

    References
    ----------
    .. [1] Fan et al., "MA-Net: a multi-scale attention network for liver and tumor
       segmentation", IEEE Access 8, 2020. doi:10.1109/ACCESS.2020.3025372
    """

    needs_half = True
    own = {"widths": [256, 128, 64, 32, 16], "inside": 64, "reduction": 16}
    tiny = {"widths": [8, 8, 8, 8, 8], "inside": 4, "reduction": 2}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw levels of ``widths`` channels; voxels compare ``inside`` channels."""
        with net.scope("center"):
            x = _positions(net, features[-1], own["inside"])
        for number, width in enumerate(own["widths"]):
            skip = features[-2 - number]
            with net.scope(f"blocks.{number}"):
                if skip is net.image:
                    x = _enlarged(net, x, skip)
                else:
                    x = _fused(net, layers, x, skip, own["reduction"])
                for place in (1, 2):
                    with net.scope(f"conv{place}"):
                        x = layers.block(net, x, width, 3)
        net.head(x, 3, name="head")


def _positions(net: Drawing, x: Tensor, inside: int) -> Tensor:
    top = net.tokens(net.conv(x, inside, 1, name="top"))
    center = net.tokens(net.conv(x, inside, 1, name="center"))
    bottom = net.tokens(net.conv(x, x.channels, 3, name="bottom"))
    seen = net.grid(net.affinity(center, top, bottom), x)
    return net.conv(net.add(x, seen), x.channels, 3, name="out")


def _fused(
    net: Drawing, layers: Layers, x: Tensor, skip: Tensor, reduction: int
) -> Tensor:
    """Stack a skip on what comes from below, whose channels both gate."""
    with net.scope("below.0"):
        x = layers.block(net, x, x.channels, 3)
    with net.scope("below.1"):
        x = layers.block(net, x, skip.channels, 1)
    x = _enlarged(net, x, skip)
    with net.scope("gate_of_below"):
        low = squeeze_excite(net, x, reduction)
    with net.scope("gate_of_skip"):
        high = squeeze_excite(net, skip, reduction)
    return net.cat(net.gate(x, net.add(low, high)), skip)


def _enlarged(net: Drawing, x: Tensor, like: Tensor) -> Tensor:
    return x if x.shape == like.shape else net.resize(x, like, "nearest")
