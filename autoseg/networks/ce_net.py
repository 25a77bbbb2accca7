"""CE-Net: dilations and pools between a residual encoder and a thin decoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.encoded import Encoded, linked, step
from autoseg.networks import NETWORKS

POOLS = (2, 3, 5, 6)


@NETWORKS.register
class CENet(Encoded):
    """Branches of dilations that share their weights, pools, and skips that are added.

    The first reduction gives no skip. What is smaller than a pool's block is one block.

    References
    ----------
    .. [1] Gu et al., "CE-Net: context encoder network for 2D medical image
       segmentation", IEEE TMI 38, 2019. arXiv:1903.02740
    """

    needs_half = True
    own = {"last": 32}
    tiny = {"last": 8}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw context, levels, and two convolutions of ``last`` channels."""
        layers = replace(layers, bias=True)
        with net.scope("dilated"):
            x = _dilated(net, features[-1])
        with net.scope("pooled"):
            x = _pooled(net, x)
        for number, skip in enumerate((*features[-2:1:-1], features[1])):
            with net.scope(f"blocks.{number}"):
                x = linked(net, layers, x, skip.channels, skip, 3)
            if skip is not features[1]:
                x = net.add(x, skip)
        stride = step(x, net.image)
        kernels = [3 if s == 1 else 4 for s in stride]
        x = net.act(net.deconv(x, own["last"], stride, kernels, name="last.up"), "relu")
        x = net.act(net.conv(x, own["last"], 3, name="last.conv"), "relu")
        net.head(x, 3, name="head")


def _dilated(net: Drawing, x: Tensor) -> Tensor:
    """Add four branches, whose convolutions are the same ones."""

    def conv(y: Tensor, name: str, kernel: int, dilation: int = 1) -> Tensor:
        return net.conv(y, x.channels, kernel, dilation=dilation, name=name)

    near = conv(x, "near", 3)
    far = conv(x, "far", 3, 3)
    branches = [net.act(near, "relu"), net.act(conv(far, "mix", 1), "relu")]
    with net.again():
        chain = conv(near, "far", 3, 3)
        branches.append(net.act(conv(chain, "mix", 1), "relu"))
    farthest = conv(chain, "farthest", 3, 5)
    with net.again():
        branches.append(net.act(conv(farthest, "mix", 1), "relu"))
    return net.add(x, *branches)


def _pooled(net: Drawing, x: Tensor) -> Tensor:
    """Stack one channel of each pool on the features; all share their weights."""
    found = []
    for number, size in enumerate(POOLS):
        pooled, _ = net.max_pool(x, size, fit=True)
        if number:
            with net.again():
                one = net.conv(pooled, 1, 1, name="one")
        else:
            one = net.conv(pooled, 1, 1, name="one")
        found.append(net.resize(one, x))
    return net.cat(*found, x)
