"""FPN: each level of an encoder hears what coarser ones see, and all are added."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.encoded import Encoded
from autoseg.networks import NETWORKS

GROUPS = 32


@NETWORKS.register
class FPN(Encoded):
    """A pyramid of features, whose levels are enlarged and added at a quarter.

    As in segmentation_models.pytorch, without its dropout.

    References
    ----------
    .. [1] Kirillov et al., "Panoptic feature pyramid networks", CVPR 2019.
       arXiv:1901.02446
    .. [2] Lin et al., "Feature pyramid networks for object detection", CVPR 2017.
       arXiv:1612.03144
    """

    own = {"pyramid": 256, "merged": 128}
    tiny = {"pyramid": 8, "merged": 8}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw levels of ``pyramid`` channels; ``merged`` are what is added of each."""
        levels = features[2:]
        x = net.conv(levels[-1], own["pyramid"], 1, name="lateral.3")
        pyramid = [x]
        for number in (2, 1, 0):
            skip = net.conv(levels[number], own["pyramid"], 1, name=f"lateral.{number}")
            x = net.add(net.resize(x, skip, "nearest"), skip)
            pyramid.append(x)
        said = []
        for place, x in enumerate(pyramid):
            finer = pyramid[place + 1 :] or [x]
            for number, larger in enumerate(finer):
                with net.scope(f"levels.{place}.{number}"):
                    x = net.conv(x, own["merged"], 3, bias=False, name="conv")
                    groups = math.gcd(GROUPS, x.channels)
                    x = net.norm(x, "group", groups=groups, name="norm")
                    x = layers.activate(net, x)
                    if larger.shape != x.shape:
                        x = net.resize(x, larger, "corners")
            said.append(x)
        net.head(net.add(*said), like=net.image, mode="corners", name="head")
