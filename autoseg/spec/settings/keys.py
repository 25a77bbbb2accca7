"""The keys of ``--set``: one vocabulary, whether a plan is made or trained.

=====================  ===============================================================
``spacing``            the grid
``patch_size``         what the network sees at once
``batch_size``         patches in a step
``network``            a file in ``autoseg/networks``
``network.OPTION``     an option of that network, such as ``network.features``
``resampling.FIELD``   as in `autoseg.spec.configuration.Resampling`
``mirror_axes``        axes of a patch that may be flipped
``batch_dice``         Dice is summed over the batch
``train``              the recipe: ``auto``, ``nnunet``, ``fast`` or ``adamw``
``train.FIELD``        a number of `autoseg.spec.settings.recipe.Recipe`
``task.OPTION``        an option of the task, such as ``task.representation``
``task.losses.HEAD``   the loss of a head, and ``task.losses.HEAD.OPTION``
=====================  ===============================================================

A key holds for all configurations, or behind the name of one for that one alone, as in
``3d_fullres.patch_size``. ``training`` is ``train``, as the plan's file has it; so are
``network.name`` and ``network.options.OPTION``, and ``network={"name": ..., "options":
{...}}`` sets name and options at once. Of a task's parts alike:
``task.representation.name``, ``task.losses.HEAD.options.OPTION``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from autoseg.errors import UsageError, did_you_mean
from autoseg.spec.configuration import Resampling
from autoseg.spec.settings.recipe import recipe_fields

CONFIGURATIONS = (
    "2d",
    "2d_fine",
    "3d_lowres",
    "3d_fullres",
    "3d_cascade_fullres",
    "3d_fine",
)
PLAIN: Mapping[str, Any] = {  # with what each wants
    "spacing": Sequence[float],
    "patch_size": Sequence[int],
    "batch_size": int,
    "batch_dice": bool,
    "mirror_axes": Sequence[int],
}
CHOICES = ("network", "train", "task")  # parts with options of their own
OF_THE_PLAN = ("train", "task")  # these have no configuration
FOLLOWING = ("median_shape", "memory", "previous")  # in a plan, and not to be set
SPELLINGS = {"training": "train"}
PARTS = {"representation": 1, "losses": 2}  # of a task: words that a part is found by


def one_spelling(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with each key spelled in one way and every choice taken apart.

    Parameters
    ----------
    given : mapping of str to JSON value
        By key, as the head of this file allows.

    Returns
    -------
    dict of str to JSON value
        In the same order.

    Raises
    ------
    UsageError
        If two keys mean the same.

    Examples
    --------
    >>> one_spelling({"network": {"name": "mine", "options": {"width": 8}}})
    {'network': 'mine', 'network.width': 8}
    >>> one_spelling({"2d.network.name": "mine", "training.epochs": 3})
    {'2d.network': 'mine', 'train.epochs': 3}
    >>> one_spelling({"task.representation.name": "mine", "task.losses.a.options.b": 1})
    {'task.representation': 'mine', 'task.losses.a.b': 1}
    """
    found: dict[str, Any] = {}
    names = as_given(given)
    for key, value in given.items():
        for name, entry in _taken_apart(key, value).items():
            if name in found:
                raise UsageError(f"--set gives {name} twice: {names[name]} and {key}.")
            found[name] = entry
    return found


def as_given(given: Mapping[str, Any]) -> dict[str, str]:
    """Return how each key of `one_spelling` was spelled, for messages."""
    names: dict[str, str] = {}
    for key, value in given.items():
        apart = _taken_apart(key, value)
        for name in apart:
            names.setdefault(name, key if len(apart) == 1 else name)
    return names


def _taken_apart(key: str, value: Any) -> dict[str, Any]:
    """Return what one setting sets, by the keys that this file has for it."""
    configuration, base = split_key(key)
    first, *rest = base.split(".")
    first = SPELLINGS.get(first, first)
    if first in CHOICES and rest[:1] in (["name"], ["options"]):
        whole = rest == ["options"] and not isinstance(value, Mapping)
        rest = rest if whole else rest[1:]
    words = PARTS.get(rest[0]) if first == "task" and rest else None
    if words and (rest[words:] == ["name"] or rest[words : words + 1] == ["options"]):
        rest = rest if rest[words:] == ["options"] else rest[:words] + rest[words + 1 :]
    path = ".".join([configuration, first] if configuration else [first])
    if rest or first not in (*CHOICES, "resampling") or not isinstance(value, Mapping):
        return {".".join([path, *rest]): value}
    entries = {f"{path}.{name}": entry for name, entry in value.items()}
    options = entries.pop(f"{path}.options", {})
    if first in CHOICES and f"{path}.name" in entries:
        entries = {path: entries.pop(f"{path}.name"), **entries}
    entries |= {f"{path}.{name}": entry for name, entry in dict(options).items()}
    return entries or {path: value}


def split_key(key: str) -> tuple[str | None, str]:
    """Return the configuration that a key is for, None for all, and what is set.

    Examples
    --------
    >>> split_key("3d_fullres.network.features"), split_key("network.features")
    (('3d_fullres', 'network.features'), (None, 'network.features'))
    """
    first, _, rest = key.partition(".")
    base = rest.partition(".")[0]
    known = {*PLAIN, *CHOICES, *SPELLINGS, "resampling", *FOLLOWING}
    if first in CONFIGURATIONS and rest:
        return first, rest
    if first not in known and base in known:  # a plan may have others
        return first, rest
    return None, key


def key_problem(key: str) -> str | None:
    """Return why there is no such key, with the nearest that there is; None if it is.

    Options of a network and of a task are not known here, and taken to be right.

    Parameters
    ----------
    key : str
        As `one_spelling` returns it.
    """
    configuration, base = split_key(key)
    first, dot, option = base.partition(".")
    if first in FOLLOWING and not dot:
        return "follows from the data and the rest of the plan, and cannot be set"
    if configuration is not None and first in OF_THE_PLAN:
        return "is for the plan as a whole: leave the configuration out"
    if first in ("network", "task") and option:
        return None
    keys = plain_keys()
    if base in keys:
        return None
    near = did_you_mean(base, keys)
    if dot and first in ("resampling", "train"):
        there = ", ".join(name for name in keys if name.startswith(f"{first}."))
        return f"no such key.{near} There are {there}"
    there = ", ".join((*PLAIN, "network", "network.OPTION", "resampling.FIELD"))
    return f"no such key.{near} There are {there}, train, train.FIELD and task.OPTION"


def plain_keys() -> tuple[str, ...]:
    """Return all keys but the options of networks and tasks."""
    return (
        *PLAIN,
        "network",
        "train",
        *(f"resampling.{field.name}" for field in fields(Resampling)),
        *(f"train.{name}" for name in recipe_fields()),
    )


def check_keys(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in one spelling; raise if there is a key that is unknown.

    Raises
    ------
    UsageError
        With every unknown key and what may have been meant.
    """
    settings = one_spelling(given)
    wrong = [f"--set {k}: {why}." for k in settings if (why := key_problem(k))]
    if wrong:
        raise UsageError("\n".join(wrong))
    return settings
