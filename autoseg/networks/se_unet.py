"""A U-Net whose stages gate their channels, and their voxels if asked for."""

from __future__ import annotations

import inspect
from typing import Any, Literal

from autoseg.blueprints.declaration import option
from autoseg.blueprints.rows.blocks import Squeezed
from autoseg.blueprints.rows.row import Block, Row
from autoseg.networks import NETWORKS


@NETWORKS.register
class SEUNet(Row):
    """Squeeze and excitation after each stage of the encoder and level of the decoder.

    ``attention="se"`` gates channels [1]_, ``"scse"`` also voxels [2]_.

    References
    ----------
    .. [1] Hu, Shen, Sun, "Squeeze-and-excitation networks", CVPR 2018. arXiv:1709.01507
    .. [2] Roy, Navab, Wachinger, "Concurrent spatial and channel squeeze and excitation
       in fully convolutional networks", MICCAI 2018. arXiv:1803.02579
    """

    own = {"attention": "scse", "reduction": 2}
    tiny = {"reduction": 1, "features": [6, 8, 8]}

    @classmethod
    def blocks(cls, **own: Any) -> tuple[Block, Block]:
        block = Squeezed(own["attention"], own["reduction"])
        return block, block

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        kinds = option("attention", Literal["se", "scse"], "scse")
        return {**super().options(), "attention": kinds}
