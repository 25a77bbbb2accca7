"""A light U-Net: inverted residual blocks, few channels, interpolated on the way up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoseg.blueprints.declaration import Shapes
from autoseg.blueprints.rows.blocks import Mobile
from autoseg.blueprints.rows.row import Block, Row
from autoseg.networks import NETWORKS

FEATURES, MOST = 16, 160  # of the first stage; doubled up to a most
FUSED = {2: 2, 3: 1}  # by axes: in volumes a convolution of all channels costs more


@NETWORKS.register
class LightUNet(Row):
    """Blocks as in MobileNetV2 both ways, for processors; `--operations` narrows it.

    The first convolution strides in no axis, so that outlines stay sharp; ``expansion``
    says how wide a block of the encoder is inside, ``fused`` at how many of the finest
    resolutions one convolution takes its place [2]_: a processor is faster so.

    References
    ----------
    .. [1] Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks",
       CVPR 2018. arXiv:1801.04381
    .. [2] Tan and Le, "EfficientNetV2: smaller models and faster training", ICML 2021.
       arXiv:2104.00298
    """

    stem = True
    depth = (1, 2, 2, 3)
    convs = 1
    own = {"expansion": 3, "fused": 0}  # 0: as plans of before have it
    planned = {"up": "linear", "bias": False}
    tiny = {"fused": 1}

    @classmethod
    def blocks(cls, **own: Any) -> tuple[Block, Block]:
        return Mobile(own["expansion"], own["fused"]), Mobile(1, own["fused"])

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        stages = len(shapes.strides)
        widths = [min(FEATURES * 2**stage, MOST) for stage in range(stages)]
        fused = FUSED[len(shapes.patch_size)]
        return super().plan(shapes, {"features": widths, "fused": fused, **fixed})
