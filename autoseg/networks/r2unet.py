"""R2U-Net: convolutions that are applied again, in residual blocks."""

from __future__ import annotations

import inspect
from typing import Any, Literal

from autoseg.blueprints.declaration import option
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers, gate
from autoseg.blueprints.rows.blocks import Recurrent
from autoseg.blueprints.rows.row import Block, Row
from autoseg.networks import NETWORKS


@NETWORKS.register
class R2UNet(Row):
    """Recurrent residual blocks; ``gate="lee"`` makes it the R2AU-Net.

    As in LeeJunHyun/Image_Segmentation: the first time a convolution has been applied
    already when its input is added. ``times`` costs operations and memory, no weights.

    References
    ----------
    .. [1] Alom et al., "Recurrent residual convolutional neural network based on U-Net
       (R2U-Net) for medical image segmentation", 2018. arXiv:1802.06955
    """

    own = {"times": 2, "gate": "none"}
    planned = {"down": "max_pool", "up": "nearest"}

    @classmethod
    def blocks(cls, **own: Any) -> tuple[Block, Block]:
        block = Recurrent(own["times"])
        return block, block

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
        return skip if own["gate"] == "none" else gate(net, layers, skip, large)

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        gates = option("gate", Literal["none", "lee"], "none")
        return {**super().options(), "gate": gates}
