"""A plan of another network, made as one that is there already."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

from autoseg.datasets.read import find_workspace
from autoseg.errors import UsageError
from autoseg.spec.plan import Plan
from autoseg.workspace import DEFAULT_PLAN
from planners._family import settable_options
from planners.network import is_declared
from planners.stage import budget_of
from planners.stage import plan as make_plan

NETWORK = "network."


def plan_beside(
    dataset: str | os.PathLike[str],
    root: str | os.PathLike[str] | None,
    base: str,
    network: str | None,
) -> str:
    """Return the name of the plan of a network; it is made if it is not there yet.

    It has grid, task, memory and settings of the plan that it stands beside, so that
    the two networks are compared fairly; settings of that network alone are left out.

    Parameters
    ----------
    dataset : str or path
        As for `planners.stage.plan`.
    root : str or path, optional
        ROOT.
    base : str
        Name of the plan that it is made as.
    network : str or None
        A file in ``autoseg/networks``; None: that of the plan.

    Returns
    -------
    str
        The network's name beside the default plan, else ``BASE_NETWORK``; without a
        network, the plan's own.

    Raises
    ------
    UsageError, PluginError, PlanError
        If there is no such plan or network, or a plan of this name has another one.
    """
    if network is None:
        return base
    declares = is_declared(network)  # raises if there is none
    space = find_workspace(dataset, root)
    path = space.plan(base)
    if not path.is_file():
        raise UsageError(
            f"There is no plan {base!r} ({path}) to make one of {network} by. Run "
            f"`autoseg plan_and_preprocess {dataset}` first."
        )
    name = network if base == DEFAULT_PLAN else f"{base}_{network}"
    if space.plan(name).is_file():
        others = {
            chosen.network.name
            for chosen in Plan.load(space.plan(name)).configurations.values()
        }
        if others == {network}:
            return name
        raise UsageError(
            f"The plan {name!r} is of {', '.join(sorted(others))}, not of {network}. "
            "Plan it under another name: `autoseg plan --network ... --name NAME`."
        )
    made = Plan.load(path)
    before = budget_of(made)
    known = settable_options(network) if declares else {}
    overrides: dict[str, Any] = {
        key: value
        for key, value in before.overrides.items()
        if NETWORK not in key or key.rpartition(NETWORK)[2] in known
    }
    named = [key for key in overrides if key.rpartition(".")[2] == "network"]
    for key in named:
        del overrides[key]
    budget = replace(before, overrides={"network": network, **overrides})
    make_plan(dataset, root, planner=made.planner, name=name, budget=budget)
    return name
