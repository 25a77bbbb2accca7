"""Attention U-Net: what comes from below says which part of a skip counts."""

from __future__ import annotations

import inspect
from typing import Any, Literal

from autoseg.blueprints.declaration import option
from autoseg.blueprints.drawing import Drawing, Tensor
from autoseg.blueprints.parts import Layers, coarse_gate, gate
from autoseg.blueprints.rows.row import Row
from autoseg.networks import NETWORKS


@NETWORKS.register
class AttentionUNet(Row):
    """A plain U-Net whose skips are gated.

    Two networks are called so. ``gate="lee"``: each skip is gated at its own
    resolution, by the features from below that were enlarged already, as in
    LeeJunHyun/Image_Segmentation. ``gate="official"``: the gate is made at the coarser
    resolution, and the finest skip has none, as in Attention-Gated-Networks of the
    authors.

    References
    ----------
    .. [1] Oktay et al., "Attention U-Net: learning where to look for the pancreas",
       MIDL 2018. arXiv:1804.03999
    """

    own = {"gate": "lee"}

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
        if own.get("gate", "lee") == "lee":
            return gate(net, layers, skip, large)
        if level == "finest":
            return skip
        if level == "deepest":
            with net.scope("signal"):
                below = layers.block(net, below, below.channels, 1)
        return coarse_gate(net, layers, skip, below)

    @classmethod
    def options(cls) -> dict[str, inspect.Parameter]:
        gates = option("gate", Literal["lee", "official"], "lee")
        return {**super().options(), "gate": gates}
