"""The outputs of a network that tells instances apart, and their losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from autoseg.spec.choice import Choice
from autoseg.spec.head import Head
from autoseg.tasks.instance.ignored import leaving_out
from autoseg.tasks.losses import loss_of

CLASSES = "classes"  # the head that says what an instance is


def heads_of(
    own: Sequence[Head], kinds: int, ignored: bool, losses: Mapping[str, Choice]
) -> tuple[Head, ...]:
    """Return the heads of a network.

    Parameters
    ----------
    own : sequence of Head
        Of the representation.
    kinds : int
        How many classes there are.
    ignored : bool
        Losses leave out what nobody annotated.
    losses : mapping of str to Choice
        By head, where the user wants another than that of the representation.
    """
    heads = tuple(own)
    if kinds > 1:
        loss = Choice(name="dice_ce", options={})
        heads += (
            Head(name=CLASSES, channels=kinds + 1, activation="softmax", loss=loss),
        )
    if ignored:
        heads = tuple(map(leaving_out, heads))
    return tuple(replace(h, loss=loss_of(losses, h.name, h.loss)) for h in heads)
