"""Losses that the user chose for heads: ``task.losses.HEAD`` and their options."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from autoseg.errors import UsageError, did_you_mean
from autoseg.losses import LOSSES
from autoseg.spec.choice import Decision
from autoseg.spec.settings.values import fault, parameters_of
from autoseg.tasks.base import Task
from autoseg.tasks.losses import OF_THE_TARGET

PREFIX = "losses"
POINTS = "points"  # the head of landmarks, whose loss has keys of its own


def put_together(found: Mapping[str, Any], learns_points: bool) -> dict[str, Any]:
    """Return options of a task with all that is said of losses in one mapping.

    Parameters
    ----------
    found : mapping of str to JSON value
        Options by key, such as ``losses.classes`` and ``losses.classes.alpha``.
    learns_points : bool
        Of landmarks the options are ``loss`` and ``loss_options``.

    Raises
    ------
    UsageError
        If a loss is no name, or options are given without one.

    Examples
    --------
    >>> put_together({"losses.classes": "tversky", "losses.classes.alpha": 0.3}, False)
    {'losses': {'classes': {'name': 'tversky', 'options': {'alpha': 0.3}}}}
    """
    rest = {k: v for k, v in found.items() if k.partition(".")[0] != PREFIX}
    losses: dict[str, dict[str, Any]] = {}
    for key, value in found.items():
        first, _, path = key.partition(".")
        if first != PREFIX:
            continue
        given = {path: value} if path else value
        if not isinstance(given, Mapping):
            raise UsageError(
                f"--set task.losses={value!r}: give a loss for a head, as in "
                "task.losses.classes=tversky."
            )
        for place, entry in given.items():
            head, _, option = place.partition(".")
            _add(losses.setdefault(head, {}), head, option, entry)
    for head, loss in losses.items():
        if "name" not in loss:
            raise UsageError(
                f"--set task.losses.{head} has options, and no name: say "
                f"task.losses.{head}=NAME, too."
            )
    if learns_points and POINTS in losses:
        own = losses.pop(POINTS)
        rest |= {"loss": own["name"], "loss_options": own.get("options", {})}
    return {**rest, PREFIX: losses} if losses else rest


def _add(loss: dict[str, Any], head: str, option: str, value: Any) -> None:
    """Enter what one key says of the loss of a head."""
    if isinstance(value, Mapping) and not option:
        options = dict(value)
        if "name" in options:
            loss["name"] = options.pop("name")
        options |= options.pop("options", {})
        if options:
            loss.setdefault("options", {}).update(options)
    elif option in ("", "name"):
        if not isinstance(value, str):
            raise UsageError(f"--set task.losses.{head}={value!r}: give a name.")
        loss["name"] = value
    else:
        name = option.removeprefix("options.")
        loss.setdefault("options", {})[name] = value


def check_losses(task: Task, chosen: Mapping[str, Any]) -> None:
    """Raise unless the losses that were chosen can learn what their heads are to learn.

    Parameters
    ----------
    task : Task
        Made with them.
    chosen : mapping
        By head, as `put_together` returns them.

    Raises
    ------
    UsageError
        With everything that is wrong with them.
    PluginError
        If there is no such loss.
    """
    heads = {head.name: head for head in task.heads}
    faults = [
        f"{name}: the task has no such head; there are {', '.join(heads)}."
        f"{did_you_mean(name, list(heads))}"
        for name in chosen
        if name not in heads
    ]
    plain = {head.name: head for head in _without_choice(task).heads}
    for name in chosen:
        if name in heads:
            own = LOSSES[plain[name].loss.name]
            faults += [
                f"{name}={heads[name].loss.name}: {fault}"
                for fault in _faults(heads[name].loss, own)
            ]
    if faults:
        listed = "\n".join(f"--set task.losses.{fault}" for fault in faults)
        raise UsageError(listed)


def about_losses(chosen: Mapping[str, Any]) -> tuple[Decision, ...]:
    """Return which losses were asked for, as decisions of a plan."""
    return tuple(
        Decision(
            field=f"task.losses.{head}",
            value=" ".join([loss["name"], *map(str, loss.get("options", {}).items())]),
            rule="the task's own loss, unless another one is asked for",
            because="asked for; docs/losses.md says what it was seen to be good for",
        )
        for head, loss in chosen.items()
    )


def _without_choice(task: Task) -> Any:
    """Return the task with the losses that it takes by itself."""
    plain: Any = copy.copy(task)
    plain.__dict__.pop("heads", None)  # of a cached property
    plain.losses = {}
    return plain


def _faults(chosen: Any, own: Any) -> list[str]:
    """Return why a loss cannot stand where another one does."""
    kind = LOSSES[chosen.name]
    if kind.takes_points != own.takes_points:
        return ["it compares points, and this head has none"]
    if kind.takes_labels != own.takes_labels:
        what = "label maps" if kind.takes_labels else "maps of numbers"
        return [f"it learns {what}, which this head does not"]
    known = parameters_of(kind)
    words = {
        "regions": "it is for classes that exclude each other, not for regions that "
        "may overlap",
        "partly": "it cannot learn from cases of which some classes only are "
        "annotated (`annotated` in dataset.json)",
        "ignore_index": "it cannot leave out what nobody annotated (`ignore`)",
    }
    found = []
    for option, value in chosen.options.items():
        if option in known and option not in OF_THE_TARGET:
            wrong = fault(option, known[option].annotation, value)
            found += [wrong] if wrong else []
        if option in known or value in (None, []):
            continue
        if option in words:
            found.append(words[option])
            continue
        there = [n for n in known if n not in (*OF_THE_TARGET, "batch_dice")]
        found.append(
            f"it has no option {option!r}.{did_you_mean(option, there)} There are "
            f"{', '.join(there) or 'none'}"
        )
    return found
