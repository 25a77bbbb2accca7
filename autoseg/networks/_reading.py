"""Networks whose outputs are read off their features by a module of its own.

Legend: B batch, C channels, K channels of a head, S spatial shape, D axes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor, nn

from autoseg.blueprints.modules.trainable import Outputs, Trainable
from autoseg.errors import PlanError
from autoseg.networks._queries import LocationReader, QueryReader
from autoseg.networks._regions import RegionReader
from autoseg.networks._tellers import TellReader
from autoseg.spec.head import Head

READERS: Mapping[str, type[nn.Module]] = {
    "queries": QueryReader,
    "locations": LocationReader,
    "regions": RegionReader,
    "tellers": TellReader,
}
"""By the name in `Head.reader`. Made as ``kind(features, dim, **options)``; called with
the features of all resolutions and with what the network gives for every head, it
returns outputs, those of the finest resolution first."""


class ReadNetwork(Trainable):
    """Any network, and a reader behind each head that has one.

    Parameters
    ----------
    body : Trainable
        Gives what readers read, at all its resolutions.
    heads : sequence of Head
        Of the task.
    dim : int
        D.
    deep_supervision : bool
        Give several outputs.
    """

    def __init__(
        self, body: Trainable, heads: Sequence[Head], dim: int, deep_supervision: bool
    ) -> None:
        super().__init__()
        self.body = body
        self.body.deep_supervision = True  # readers look at all resolutions
        self.deep_supervision = deep_supervision
        self.readers = nn.ModuleDict(
            {head.name: _made(head, dim) for head in heads if head.reader is not None}
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "recompute" and "body" in self._modules:
            self.body.recompute = value
        super().__setattr__(name, value)

    def forward(self, image: Tensor) -> Outputs:
        features = cast(dict[str, list[Tensor]], self.body(image))
        outputs: dict[str, list[Tensor]] = {}
        for name, levels in features.items():
            if name in self.readers:  # it may look at what was read before
                levels = self.readers[name](levels, {**features, **outputs})
            outputs[name] = levels
        if self.deep_supervision:
            return outputs
        return {name: levels[0] for name, levels in outputs.items()}

    def start_head(self, name: str, bias: float) -> None:
        if name not in self.readers:
            self.body.start_head(name, bias)

    def last_parameters(self) -> Sequence[nn.Parameter]:
        return self.body.last_parameters()


def with_readers(
    body: Trainable, heads: Sequence[Head], dim: int, deep_supervision: bool
) -> Trainable:
    """Return a network with the readers of its heads; as it is, if none has one."""
    if all(head.reader is None for head in heads):
        return body
    return ReadNetwork(body, heads, dim, deep_supervision)


def _made(head: Head, dim: int) -> nn.Module:
    choice = head.reader
    if choice is None or choice.name not in READERS:
        raise PlanError(f"the head {head.name!r} has a reader that there is not.")
    return READERS[choice.name](head.features, dim, **choice.options)
