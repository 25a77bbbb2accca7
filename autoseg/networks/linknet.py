"""Linknet: what comes from below is narrowed, enlarged, and added to a skip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers
from autoseg.blueprints.rows.encoded import Encoded, linked
from autoseg.networks import NETWORKS


@NETWORKS.register
class Linknet(Encoded):
    """A thin decoder: a quarter of the channels inside, and skips that are added.

    As in segmentation_models.pytorch.

    References
    ----------
    .. [1] Chaurasia, Culurciello, "LinkNet: exploiting encoder representations for
       efficient semantic segmentation", VCIP 2017. arXiv:1707.03718
    """

    needs_half = True
    own = {"last": 32}
    tiny = {"last": 8}

    @classmethod
    def decode(
        cls, net: Drawing, layers: Layers, features: Sequence[Tensor], **own: Any
    ) -> None:
        """Draw a block for each level; the finest has ``last`` channels."""
        x = features[-1]
        for number, skip in enumerate(features[-2::-1]):
            last = skip is net.image
            with net.scope(f"blocks.{number}"):
                width = own["last"] if last else skip.channels
                x = linked(net, layers, x, width, skip, 4)
            x = x if last else net.add(x, skip)
        net.head(x, name="head")
