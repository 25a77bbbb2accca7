"""A head: one output of a network, and what it is trained with."""

from __future__ import annotations

from dataclasses import dataclass

from autoseg.spec.choice import Choice


@dataclass(frozen=True, kw_only=True)
class Head:
    """One output of the network.

    Parameters
    ----------
    name : str
        Key of this head's arrays in targets and outputs.
    channels : int
        Number of channels, C.
    activation : str
        ``"softmax"``, ``"sigmoid"`` or ``"identity"``: from logits to outputs.
    loss : Choice
        A file in ``autoseg/losses``, with options.
    """

    name: str
    channels: int
    activation: str
    loss: Choice
