"""What the user fixes; the planner plans around it.

The keys are those of `autoseg.spec.settings.keys`. Alone, ``spacing`` is the grid of
full resolution that all configurations follow, and ``patch_size`` is for all
configurations with as many axes. Of landmarks, ``2d_fine`` or ``3d_fine`` is the second
stage, and is planned in any case if something is set for it. No network has more stages
than ``network.features`` has entries; ``network.head_stage`` of landmarks is the stage
that has the resolution of the outputs.

Axes are in the order that the plan has without overrides: coarsest first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from autoseg.errors import PluginError, UsageError, did_you_mean
from autoseg.networks import NETWORKS
from autoseg.spec.configuration import Resampling
from autoseg.spec.settings.keys import (
    CONFIGURATIONS,
    as_given,
    key_problem,
    one_spelling,
    split_key,
)
from autoseg.spec.settings.recipe import AUTO, recipe_values
from autoseg.spec.settings.recipes import RECIPES
from autoseg.spec.settings.values import fault
from planners._family import settable_options
from planners.network import is_declared

RESAMPLING = get_type_hints(Resampling)


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """Checked values by key.

    Parameters
    ----------
    values : mapping of str to JSON value
        See the head of this file.
    """

    values: Mapping[str, Any] = field(default_factory=dict)

    def get(self, configuration: str, key: str, dim: int | None = None) -> Any:
        """Return the value for a configuration, None if nothing is fixed.

        Parameters
        ----------
        configuration : str
            Its own value comes first.
        key : str
            Such as ``"patch_size"``.
        dim : int, optional
            A value for all configurations counts only if it has as many axes.
        """
        own = self.values.get(f"{configuration}.{key}")
        if own is not None:
            return own
        shared = self.values.get(key)
        if dim is not None and shared is not None and len(shared) != dim:
            return None
        return shared

    def options(self, configuration: str, group: str) -> dict[str, Any]:
        """Return the values of ``group.OPTION`` for a configuration."""
        found: dict[str, Any] = {}
        for prefix in (f"{group}.", f"{configuration}.{group}."):
            for key, value in self.values.items():
                if key.startswith(prefix):
                    found[key.removeprefix(prefix)] = value
        return found

    def has_own(self, configuration: str) -> bool:
        """Return whether anything is fixed for this configuration alone."""
        return any(key.startswith(f"{configuration}.") for key in self.values)


def check_overrides(given: Mapping[str, Any], dim: int | None) -> Overrides:
    """Return overrides that can be planned around.

    Parameters
    ----------
    given : mapping of str to JSON value
        By key.
    dim : int or None
        Number of spatial axes of the images; None: not known yet.

    Returns
    -------
    Overrides
        The same, checked.

    Raises
    ------
    UsageError
        With every key that is unknown and every value that cannot be.
    """
    settings, names = one_spelling(given), as_given(given)
    problems: list[str] = []
    for key, value in settings.items():
        problem = key_problem(key) or _problem(key, value, settings, dim)
        if problem:
            problems.append(f"  {names[key]}={value!r}: {problem}")
    if problems:
        raise UsageError(
            "What is set cannot be planned around:\n" + "\n".join(problems)
        )
    return Overrides(values=settings)


def _axes_of(configuration: str | None, base: str, dim: int | None) -> tuple[int, ...]:
    if configuration is not None:
        return (2,) if configuration.startswith("2d") else (3,)
    return (2, 3) if dim is None or base != "spacing" else (dim,)


def _problem(
    key: str, value: Any, settings: Mapping[str, Any], dim: int | None
) -> str | None:
    configuration, base = split_key(key)
    if configuration is not None and configuration not in CONFIGURATIONS:
        near = did_you_mean(configuration, CONFIGURATIONS)
        return f"no such configuration.{near} There are {', '.join(CONFIGURATIONS)}"
    axes = _axes_of(configuration, base, dim)
    name, _, option = base.partition(".")
    if option:
        return _option_problem(name, option, value, _network(key, settings))
    checks: dict[str, Callable[[], str | None]] = {
        "spacing": lambda: _list_problem(value, axes, whole=False),
        "patch_size": lambda: _list_problem(value, axes, whole=True),
        "batch_size": lambda: None if _whole(value) else "give a whole number from 1",
        "network": lambda: _network_problem(value),
        "batch_dice": lambda: None if isinstance(value, bool) else "give true or false",
        "mirror_axes": lambda: _mirror_problem(value, max(axes)),
        "train": lambda: _one_of(value, (AUTO, *RECIPES)),
    }
    return checks[name]()


def _network(key: str, settings: Mapping[str, Any]) -> Any:
    """Return the network that an option is set of, None if it is the planner's own."""
    configuration, _ = split_key(key)
    named = settings.get(f"{configuration}.network", settings.get("network"))
    return named if isinstance(named, str) and named in NETWORKS else None


def _network_problem(value: Any) -> str | None:
    if not isinstance(value, str):
        return "give the name of a network"
    try:
        return None if NETWORKS[value] else None
    except PluginError as error:
        return str(error)


def _option_problem(name: str, option: str, value: Any, network: Any) -> str | None:
    if name == "train":
        try:
            recipe_values({option: value})
        except UsageError as error:
            return str(error)
    if name == "resampling":
        return fault(option, RESAMPLING[option], value)
    if name != "network" or (network is not None and not is_declared(network)):
        return None  # a task and a network that is not planned for check their own
    hints = settable_options(network)
    if option not in hints:
        near = did_you_mean(option, hints)
        return f"follows from the patch. There are {', '.join(hints)}.{near}"
    if hints[option] == Sequence[int]:
        good = isinstance(value, list) and value and all(map(_whole, value))
        return None if good else "give a list of whole numbers from 1, one per stage"
    if option == "head_stage":
        return None if value in (0, 1, 2) else "give 0, 1 or 2"
    return fault(option, hints[option], value)


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 1


def _positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _list_problem(value: Any, axes: tuple[int, ...], *, whole: bool) -> str | None:
    good = _whole if whole else _positive
    if isinstance(value, list) and len(value) in axes and all(map(good, value)):
        return None
    kind = "whole numbers" if whole else "positive numbers"
    return f"give a list of {' or '.join(map(str, axes))} {kind}"


def _mirror_problem(value: Any, dim: int) -> str | None:
    good = isinstance(value, list) and all(
        type(axis) is int and 0 <= axis < dim for axis in value
    )
    return None if good else f"give a list of axes from 0 to {dim - 1}"


def _one_of(value: Any, allowed: Sequence[str]) -> str | None:
    near = did_you_mean(str(value), allowed)
    return None if value in allowed else f"there are {', '.join(allowed)}.{near}"
