"""SegFormer: all resolutions of an encoder, mixed voxel by voxel."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Shapes
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.encoded import Encoded
from autoseg.networks import NETWORKS

ENCODER = "mit_b0"
BLOCK = 8  # voxels at a quarter whose keys are one


@NETWORKS.register
class SegFormer(Encoded):
    """Features of equal width, enlarged to those of a quarter, stacked and mixed.

    On Mix Transformers by default, as its authors have it, unless a patch is smaller
    than what they put together.

    References
    ----------
    .. [1] Xie et al., "SegFormer: simple and efficient design for semantic segmentation
       with transformers", NeurIPS 2021. arXiv:2105.15203
    """

    own = {"width": 256}
    tiny = {"width": 8}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw a matrix for each resolution, one for all, and the head."""
        used = [x for x in features[1:] if x.number not in net.bare]
        quarter, found = features[2], []
        for number, x in enumerate(used):
            y = net.conv(x, own["width"], 1, name=f"levels.{number}")
            found.append(y if y.shape == quarter.shape else net.resize(y, quarter))
        with net.scope("mix"):
            x = layers.block(net, net.cat(*found), own["width"], 1)
        net.head(x, like=net.image, name="head")

    @classmethod
    def plan(cls, shapes: Shapes, fixed: Mapping[str, Any]) -> dict[str, Any]:
        options = super().plan(shapes, fixed)
        before = zip(*options["strides"][:2], strict=True)
        quarter = [
            n // math.prod(steps)
            for n, steps in zip(shapes.patch_size, before, strict=True)
        ]
        own = {"encoder": ENCODER} if min(quarter) >= BLOCK else {}
        return {**own, **options}
