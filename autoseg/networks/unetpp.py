"""U-Net++: a decoder of nested nodes, and a head on each that has the image's size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.parts import Down, Layers, Plain, Stage, Up, enlarge
from autoseg.blueprints.rows.row import Stages
from autoseg.networks import NETWORKS


@NETWORKS.register
class UNetPlusPlus(Stages):
    """A plain encoder; node (i, j) sees all nodes before it and the one below.

    With deep supervision all heads have the image's resolution, and count the same.

    References
    ----------
    .. [1] Zhou et al., "UNet++: a nested U-Net architecture for medical image
       segmentation", DLMIA 2018. arXiv:1807.10165
    """

    supervision = "full"
    nested = True

    @classmethod
    def draw(
        cls,
        drawing: Drawing,
        *,
        features: Sequence[int],
        kernels: Sequence[Sequence[int]],
        strides: Sequence[Sequence[int]],
        convs_encoder: Sequence[int],
        convs_decoder: Sequence[int],
        down: Down = "stride",
        up: Up = "deconv",
        **layers: Any,
    ) -> None:
        """Draw node after node; see `Row.draw`. ``convs_decoder`` is by level j."""
        kind = Layers(**layers)
        stages = [
            Stage(channels=f, kernel=k, stride=s, count=c)
            for f, k, s, c in zip(
                features, kernels, strides, convs_encoder, strict=True
            )
        ]
        rows = [[x] for x in cls.encoder(drawing, kind, stages, down)]
        for column in range(1, len(rows)):
            for number, row in enumerate(rows[:-column]):
                below, step = rows[number + 1][column - 1], strides[number + 1]
                with drawing.scope(f"decoder.nodes.{number}.{column}"):
                    large = enlarge(drawing, kind, below, row[0], step, up, "up")
                    joined = drawing.cat(*row, large)
                    stage = replace(
                        stages[number],
                        stride=(1,) * drawing.dim,
                        count=convs_decoder[column - 1],
                    )
                    row.append(Plain().draw(drawing, kind, joined, stage))
            drawing.head(rows[0][column], name=f"decoder.seg_layers.{column - 1}")
