"""What ``--set`` changes in the configuration that is trained."""

from __future__ import annotations

import typing
from collections.abc import Collection, Mapping
from typing import Any

from autoseg.errors import PlanError, UsageError
from autoseg.networks.options import network_faults
from autoseg.spec.configuration import Configuration, Resampling
from autoseg.spec.json import from_json, to_json
from autoseg.spec.settings.keys import PLAIN, key_problem, one_spelling, split_key
from autoseg.spec.settings.values import fault
from planners.network import like_network

PATCH = "patch_size"
RESAMPLING = typing.get_type_hints(Resampling)


def settings_of(
    settings: Mapping[str, Any], configuration: str, others: Collection[str] | None = ()
) -> dict[str, Any]:
    """Return settings for one configuration, without its name before the keys.

    Parameters
    ----------
    settings : mapping of str to JSON value
        As `one_spelling` returns them.
    configuration : str
        The one that is trained. What is set for it alone comes first.
    others : collection of str, optional
        Configurations that are trained by the same command, None: any; what is set for
        them alone is left out.

    Raises
    ------
    UsageError
        If something is set for a configuration that is not trained.

    Examples
    --------
    >>> settings_of({"batch_size": 4, "2d.batch_size": 8}, "2d")
    {'batch_size': 8}
    """
    shared: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key, value in settings.items():
        name, base = split_key(key)
        if name is None:
            shared[base] = value
        elif name == configuration:
            own[base] = value
        elif others is not None and name not in others:
            raise UsageError(f"--set {key}: {configuration} is trained, not {name}.")
    return {**shared, **own}


def change_configuration(
    configuration: Configuration, changes: Mapping[str, Any], where: str
) -> Configuration:
    """Return a configuration with some fields replaced.

    Parameters
    ----------
    configuration : Configuration
        From the plan.
    changes : mapping of str to JSON value
        ``patch_size``, ``network.features`` and others, by name. The number of stages
        of a network is that of ``features``; other lists of it are cut to that length.
        Another network gets the options that it has in common with the planned one,
        and a U-Net those that it is planned with.
    where : str
        Name of the configuration, for messages.

    Returns
    -------
    Configuration
        Checked as one that is read from a file.

    Raises
    ------
    UsageError
        If there is no such field, a value is not what it wants, or the result
        contradicts itself.
    """
    settings = one_spelling(changes)
    faults = [text for key, value in settings.items() if (text := _fault(key, value))]
    if faults:
        raise UsageError(f"--set {'; '.join(faults)}.")
    raw = to_json(configuration)
    network: dict[str, Any] = {}
    for key, value in settings.items():
        name, _, option = key.partition(".")
        if name == "network":
            network[option] = to_json(value)
        elif option:
            raw[name][option] = value
        else:
            raw[name] = to_json(value)
    if network:
        chosen = like_network(
            configuration.network,
            network.pop("", configuration.network.name),
            network,
            raw["patch_size"],
        )
        wrong = network_faults(chosen)
        if wrong:
            raise UsageError(f"--set for {where}, {chosen.name}: {'; '.join(wrong)}.")
        raw["network"] = to_json(chosen)
    try:
        return from_json(Configuration, raw, f"--set for {where}")
    except PlanError as error:
        words = str(error)
        if PATCH in settings and not network:
            words += (
                " The network was planned for another patch: `autoseg plan --set "
                f"{PATCH}={','.join(map(str, raw[PATCH]))} --name NAME` plans one for "
                "this; train with --plan NAME."
            )
        raise UsageError(words) from None


def _fault(key: str, value: Any) -> str | None:
    """Return what is wrong with a setting, as far as it is no option of a network."""
    problem = key_problem(key)
    if problem is not None:
        return f"{key}: {problem}"
    name, _, option = key.partition(".")
    if name == "task":
        return (
            f"{key}: what is learned is decided by the plan. Give it to `autoseg plan "
            "--set ... --name NAME`, and train with --plan NAME"
        )
    if name == "network":
        return None if option else fault(key, str, value)
    return fault(key, RESAMPLING[option] if option else PLAIN[name], value)
