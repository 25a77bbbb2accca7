"""UPerNet: pools at the bottom of an encoder, a pyramid, and all levels stacked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.encoded import Encoded
from autoseg.networks import NETWORKS


@NETWORKS.register
class UPerNet(Encoded):
    """Levels are enlarged to a quarter, stacked and convolved once more.

    As in segmentation_models.pytorch, which normalizes the channels of each voxel of
    what the encoder gives.

    References
    ----------
    .. [1] Xiao et al., "Unified perceptual parsing for scene understanding", ECCV 2018.
       arXiv:1807.10221
    """

    own = {"width": 256, "pools": [1, 2, 3, 6]}
    tiny = {"width": 8, "pools": [1, 2]}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw pools, pyramid, levels of ``width`` channels, and the head."""
        width = own["width"]
        *skips, x = (
            net.norm(level, "channel", eps=layers.eps, name=f"norms.{number}")
            for number, level in enumerate(features[2:])
        )
        with net.scope("pools"):
            x = _pooled(net, layers, x, width, own["pools"])
        levels = [x]
        for number in range(len(skips) - 1, -1, -1):
            with net.scope(f"lateral.{number}"):
                skip = layers.block(net, skips[number], width, 1)
            x = net.add(x if x.shape == skip.shape else net.resize(x, skip), skip)
            with net.scope(f"levels.{number}"):
                levels.append(layers.block(net, x, width, 3))
        finest = levels[-1]
        same = (x if x.shape == finest.shape else net.resize(x, finest) for x in levels)
        with net.scope("joined"):
            x = layers.block(net, net.cat(*same), width, 3)
        net.head(x, like=net.image, name="head")


def _pooled(
    net: Drawing, layers: Layers, x: Tensor, width: int, sizes: Sequence[int]
) -> Tensor:
    """Convolve features beside what they are when pooled to few voxels."""
    found = [x]
    for number, size in enumerate(sizes):
        pooled = net.adaptive_pool(x, size)
        with net.scope(str(number)):
            kind = layers.pooled if pooled.voxels == 1 or size == 1 else layers
            y = kind.block(net, pooled, width, 1)
        found.append(net.resize(y, x) if y.shape != x.shape else y)
    with net.scope("joined"):
        return layers.block(net, net.cat(*found), width, 3)
