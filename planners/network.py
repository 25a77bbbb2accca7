"""Networks whose cost is known, and one network in place of another in a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoseg.blueprints.declaration import Declaration
from autoseg.errors import PlanError, UsageError
from autoseg.networks import NETWORKS
from autoseg.spec.choice import Choice
from planners.grids.topology import Topology

TOPOLOGY = ("kernels", "strides")
SHARED = ("features", "head_stage", "norm", "bias", "eps", "slope")


def declared(network: str) -> type[Declaration]:
    """Return the declaration of a network.

    Raises
    ------
    PlanError
        If it is a torch module, which no arithmetic is known of.
    """
    found: Any = NETWORKS[network]
    if not is_declared(network):
        raise PlanError(
            f"What network {network!r} costs is unknown: it is a torch module, and not "
            "declared (docs/extending.md)."
        )
    kind: type[Declaration] = found
    return kind


def is_declared(network: str) -> bool:
    """Return whether what a network costs follows from how it is declared.

    Raises
    ------
    PluginError
        If there is no such network.
    """
    found: Any = NETWORKS[network]
    return isinstance(found, type) and issubclass(found, Declaration)


def like_network(
    before: Choice, name: str, given: Mapping[str, Any], patch_size: Sequence[int]
) -> Choice:
    """Return a network with options as far as they follow from another one's.

    Parameters
    ----------
    before : Choice
        The network that was planned.
    name : str
        The network that is wanted, which may be the same.
    given : mapping of str to JSON value
        Options that are set. The number of stages is that of ``features``; lists with
        an entry for each stage, as far as they are not set, are cut to that length.
    patch_size : sequence of int, length D
        What the network will see.

    Returns
    -------
    Choice
        Not checked yet, except that it can follow at all.

    Raises
    ------
    UsageError
        If a U-Net is wanted and the network before has no strides.
    PluginError
        If there is no such network.
    """
    options = {**before.options, **given}
    if name != before.name:
        options = _others(before, name, given, patch_size)
    return Choice(name=name, options=_cut(options, before, given))


def _cut(
    options: dict[str, Any], before: Choice, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Return options with as many entries as there are stages now."""
    old, new = before.options.get("features"), given.get("features")
    if not isinstance(old, list) or not isinstance(new, list):
        return options
    cut = dict(options)
    for key, value in options.items():
        if key not in given and isinstance(value, list):
            # One for each stage, or as of the decoder, for each but the last.
            less = {len(old): 0, len(old) - 1: 1}.get(len(value))
            cut[key] = value if less is None else value[: len(new) - less]
    return cut


def _others(
    before: Choice, name: str, given: Mapping[str, Any], patch_size: Sequence[int]
) -> dict[str, Any]:
    if not is_declared(name):
        from autoseg.networks.options import options_like

        return options_like(name, before.options, given)
    lacking = [key for key in TOPOLOGY if key not in {**before.options, **given}]
    if lacking:
        raise UsageError(
            f"--set network={name}: {before.name} has no {' and no '.join(lacking)} "
            "to make it of. Plan it: `autoseg plan --set network=... --name NAME`."
        )
    options = {**before.options, **given}
    strides, kernels = (tuple(map(tuple, options[k])) for k in ("strides", "kernels"))
    topology = Topology(patch_size=tuple(patch_size), strides=strides, kernels=kernels)
    kind = declared(name)
    shared = {k: v for k, v in options.items() if k in SHARED and k in kind.options()}
    return {**kind.plan(topology, shared), **given}
