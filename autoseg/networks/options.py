"""Which options and recipe a network has, and whether those of a plan suit it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from autoseg.networks import NETWORKS
from autoseg.spec.choice import Choice
from autoseg.spec.settings.recipes import OwnRecipe
from autoseg.spec.settings.values import option_faults, parameters_of

CALLED_WITH = 3  # arguments: channels of the image, heads, deep supervision


def network_parameters(name: str) -> dict[str, inspect.Parameter]:
    """Return the options of a network by name; this imports it.

    Raises
    ------
    PluginError
        If there is no such network.
    """
    kind = NETWORKS[name]
    return parameters_of(kind, _given(kind))


def network_faults(choice: Choice, prefix: str = "network.") -> list[str]:
    """Return what is wrong with a network's options, by its signature.

    Parameters
    ----------
    choice : Choice
        The network.
    prefix : str
        Stands before the options' names.

    Returns
    -------
    list of str
        One sentence for each option that is unknown, missing or of a wrong kind.

    Raises
    ------
    PluginError
        If there is no such network.
    """
    kind = NETWORKS[choice.name]
    return option_faults(kind, choice.options, given=_given(kind), prefix=prefix)


def options_like(
    name: str, before: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return options of a network: those of another one that it has, too, and more.

    Parameters
    ----------
    name : str
        The network.
    before : mapping of str to JSON value
        Options of another network; those that this one has not are left out.
    given : mapping of str to JSON value
        Comes first.
    """
    there = network_parameters(name)
    kept = {key: value for key, value in before.items() if key in there}
    return {**kept, **given}


def network_recipe(name: str) -> OwnRecipe | None:
    """Return how a network wants to be trained, None if it leaves that open.

    Raises
    ------
    PluginError
        If there is no such network.
    """
    found: OwnRecipe | None = getattr(NETWORKS[name], "recipe", None)
    return found


def _given(kind: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(kind).parameters)[:CALLED_WITH]
