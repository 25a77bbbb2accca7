"""The loss of a head, where the user wants another than the task's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoseg.errors import PlanError
from autoseg.spec.choice import Choice

# What a task says about its targets, whatever loss learns from them.
OF_THE_TARGET = ("ignore_index", "regions", "partly", "sigma")


def losses_of(given: Mapping[str, Any] | None) -> dict[str, Choice]:
    """Return the losses that were chosen, by head.

    Parameters
    ----------
    given : mapping of str to JSON value, or None
        By head a name, or a mapping with ``name`` and, if need be, ``options``.

    Raises
    ------
    PlanError
        If it is anything else.

    Examples
    --------
    >>> losses_of({"classes": "tversky"})["classes"].name
    'tversky'
    """
    if given is not None and not isinstance(given, Mapping):
        raise PlanError(
            f'task.losses is {given!r}; give a loss by head, as in {{"classes": '
            '"tversky"}.'
        )
    found = {}
    for head, value in (given or {}).items():
        whole: Any = {"name": value} if isinstance(value, str) else value
        good = isinstance(whole, Mapping) and isinstance(whole.get("name"), str)
        if not good or not isinstance(whole.get("options", {}), Mapping):
            raise PlanError(
                f"task.losses.{head} is {value!r}; give the name of a loss, or "
                '{"name": ..., "options": {...}}.'
            )
        found[head] = Choice(name=whole["name"], options=whole.get("options", {}))
    return found


def loss_of(losses: Mapping[str, Choice], head: str, own: Choice) -> Choice:
    """Return the loss of a head.

    Parameters
    ----------
    losses : mapping of str to Choice
        Those that were chosen.
    head : str
        Its name.
    own : Choice
        What the task takes by itself. What it says about the target is told to any
        loss; its other options to the same loss only.
    """
    chosen = losses.get(head)
    if chosen is None:
        return own
    same = chosen.name == own.name
    kept = {k: v for k, v in own.options.items() if same or k in OF_THE_TARGET}
    return Choice(name=chosen.name, options={**kept, **chosen.options})
