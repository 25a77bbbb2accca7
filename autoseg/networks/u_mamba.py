"""U-Mamba: a residual encoder whose voxels hear of each other along rows."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from autoseg.blueprints.declaration import option
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers, Plain, Residual, Stage
from autoseg.blueprints.rows.row import Block, Row
from autoseg.blueprints.rows.state_space import mamba_of_grid
from autoseg.blueprints.rows.transformers import attention_recipe
from autoseg.networks import NETWORKS


@dataclass(frozen=True)
class _Scanned:
    """Residual blocks, and a state space along what they give."""

    def draw(self, net: Drawing, layers: Layers, x: Tensor, stage: Stage) -> Tensor:
        x = Residual().draw(net, layers, x, stage)
        with net.scope("scan"):
            return mamba_of_grid(net, x)


@NETWORKS.register
class UMamba(Row):
    """A residual U-Net with state spaces at the bottom, or after every stage.

    Encoder, decoder and heads are those of ``residual_unet``, so that comparing both
    shows what the state space gives; its authors' own blocks differ from them.

    References
    ----------
    .. [1] Ma et al., "U-Mamba: enhancing long-range dependency for biomedical image
       segmentation", 2024. arXiv:2401.04722
    """

    recipe = attention_recipe(
        "its authors keep SGD, under which a state space hardly learns"
    )
    block: ClassVar[Block] = Residual()
    stem = True
    counts = "blocks"
    depth = (1, 3, 4, 6)
    convs = 1
    own: ClassVar[Mapping[str, Any]] = {"scanned": "bottom"}

    @classmethod
    def blocks(cls, **own: Any) -> tuple[Block, Block]:
        everywhere = own.get("scanned", "bottom") == "all"
        return _Scanned() if everywhere else cls.block, Plain()

    @classmethod
    def bottom(cls, net: Drawing, layers: Layers, x: Tensor, **own: Any) -> Tensor:
        if own.get("scanned", "bottom") == "all":
            return x
        with net.scope("encoder.scan"):
            return mamba_of_grid(net, x)

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        scanned = option("scanned", Literal["bottom", "all"], "bottom")
        return {**super().options(), "scanned": scanned}
