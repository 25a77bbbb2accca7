"""MultiResUNet: blocks that see several resolutions, and skips that are convolved."""

from __future__ import annotations

from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.blocks import MultiRes
from autoseg.blueprints.rows.row import Block, Row
from autoseg.networks import NETWORKS

LONGEST = 4  # residual convolutions of the finest skip; one less for each coarser one


@NETWORKS.register
class MultiResUNet(Row):
    """Each block stacks three convolutions in a row; skips pass residual ones.

    ``features`` are those of the U-Net that it replaces: a block has 1.67 times as
    many, cut to whole numbers.

    References
    ----------
    .. [1] Ibtehaz, Rahman, "MultiResUNet: rethinking the U-Net architecture for
       multimodal biomedical image segmentation", Neural Networks 121, 2020.
       arXiv:1902.04049
    """

    depth = (1,)
    convs = 1
    planned = {"down": "max_pool"}
    tiny = {"norm": "batch"}

    @classmethod
    def blocks(cls, **own: Any) -> tuple[Block, Block]:
        return MultiRes(), MultiRes()

    @classmethod
    def skip(
        cls,
        net: Drawing,
        layers: Layers,
        skip: Tensor,
        large: Tensor,
        below: Tensor,
        level: str,
        **own: Any,
    ) -> Tensor:
        x, width = skip, large.channels
        for number in range(max(1, LONGEST - own["stage"])):
            with net.scope(f"path.{number}.short"):
                short = layers.block(net, x, width, 1, activate=False)
            with net.scope(f"path.{number}"):
                y = layers.block(net, x, width, 3)
                y = layers.activate(net, net.add(short, y))
                x = layers.normalize(net, y, "norm_after")
        return x
