"""The stage `plan`: read a fingerprint, decide, write the plan."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoseg.datasets.read import find_workspace
from autoseg.errors import UsageError
from autoseg.gpu import gpu_memory_gb, has_gpu
from autoseg.networks.measured import remembered_in
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.json import write_text
from autoseg.spec.plan import Plan
from autoseg.tasks import TASKS
from autoseg.workspace import DEFAULT_PLAN
from planners import PLANNERS
from planners.base import Budget, Rule

PREVIOUS = "previous"  # a plan that is replaced is kept as NAME.previous


def plan(
    dataset: str | os.PathLike[str],
    root: str | os.PathLike[str] | None = None,
    *,
    planner: str = DEFAULT_PLAN,
    network: str | None = None,
    name: str | None = None,
    preset: str | None = None,
    gpu_memory: float | None = None,
    budget_rule: Rule = "nnunet",
    settings: Mapping[str, Any] | None = None,
    budget: Budget | None = None,
    operations: float | None = None,
    gpus: int = 1,
) -> Plan:
    """Decide how to train, and write every decision with its reason.

    Reads the fingerprint only: no image is opened and torch is not imported, but for a
    network that is written in torch: that is run without numbers, once.

    Parameters
    ----------
    dataset : str or path
        A folder with a dataset.json, or the name or number of one in ``ROOT/raw``.
    root : str or path, optional
        ROOT; by default ``$AUTOSEG_ROOT``, else ``./autoseg_root``.
    planner : str
        A file in ``planners``.
    network : str, optional
        A file in ``autoseg/networks``; by default the planner's own.
    name : str, optional
        Name of the plan; by default the network's if one is given, else the planner's,
        with the preset.
    preset : str, optional
        A named size of the planner, such as ``"L"``.
    gpu_memory : float, optional
        Device memory for training in GB; by default the preset's, and with the rule
        ``"bytes"`` that of the GPU that is there.
    budget_rule : str
        ``"nnunet"``: plans as nnU-Net v2 makes them; ``"bytes"``: by what a step needs.
    settings : mapping of str to JSON value, optional
        What is fixed and planned around, by the keys of `autoseg.spec.settings.keys`,
        as in ``{"patch_size": [64, 64, 64]}``.
    budget : Budget, optional
        The four before, the network, and the two below, as one value instead of them.
    operations : float, optional
        Most multiplications and additions of a forward pass over one patch; the
        network's widths are chosen for it.
    gpus : int
        How many train together and share a batch, with this memory each.

    Returns
    -------
    Plan
        What was written to ``ROOT/preprocessed/DATASET/plans/NAME.json``. A plan of
        this name that was there and differs is kept as ``NAME.previous.json``.

    Raises
    ------
    PlanError
        If there is no fingerprint yet, or nothing fits the budget.
    UsageError
        If the data set, the preset or an override cannot be.
    """
    workspace = find_workspace(dataset, root)
    fingerprint = Fingerprint.load(workspace.fingerprint)
    given = preset, gpu_memory, budget_rule, settings, network, operations, gpus
    budget = make_budget(budget, *given)
    with remembered_in(workspace.measured_networks):
        made: Plan = PLANNERS[planner](fingerprint, fingerprint.task, budget)
    called = network if name is None else name
    if called is not None:
        made = replace(made, name=_as_name(called))
    _write(made, workspace.plan(made.name))
    return made


def make_budget(
    budget: Budget | None = None,
    preset: str | None = None,
    gpu_memory: float | None = None,
    budget_rule: Rule = "nnunet",
    settings: Mapping[str, Any] | None = None,
    network: str | None = None,
    operations: float | None = None,
    gpus: int = 1,
) -> Budget:
    """Return what a plan may cost, for the GPU or CPU that is there.

    Parameters
    ----------
    budget : Budget, optional
        Taken as it is.
    preset, gpu_memory, budget_rule, settings, network, operations, gpus
        As in `plan`.

    Raises
    ------
    UsageError
        If a budget is given, and something else beside it; or two networks.
    """
    parts = preset, gpu_memory, settings or None, network, operations
    if budget is not None:
        usual = budget_rule == "nnunet" and gpus == 1
        if any(part is not None for part in parts) or not usual:
            raise UsageError(
                "A budget was given, and preset, gpu_memory, budget_rule, settings, "
                "network, operations or gpus beside it, which it holds already; give "
                "the one or the others."
            )
        return budget
    if gpu_memory is None and budget_rule == "bytes":
        gpu_memory = gpu_memory_gb()
    return Budget(
        memory_gb=gpu_memory,
        rule=budget_rule,
        preset=preset,
        overrides=_with_network(dict(settings or {}), network),
        processor="gpu" if has_gpu() else "cpu",
        operations=operations,
        gpus=gpus,
    )


def budget_of(made: Plan) -> Budget:
    """Return the budget and the settings that a plan was made with.

    Parameters
    ----------
    made : Plan
        Its memory is taken as given, also where it was the planner's own.
    """
    given = made.budget.options
    return Budget(
        memory_gb=given.get("memory_gb"),
        rule="bytes" if made.budget.name == "bytes" else "nnunet",
        preset=given.get("preset"),
        precision=given.get("precision", "bf16"),
        overrides=dict(given.get("overrides", {})),
        gpus=given.get("gpus", 1),
        operations=given.get("operations"),
    )


def _with_network(settings: dict[str, Any], network: str | None) -> dict[str, Any]:
    if network is None:
        return settings
    if settings.get("network", network) != network:
        raise UsageError(
            f"The network is to be {network}, and by what is set "
            f"{settings['network']}; leave one of them out."
        )
    return {"network": network, **settings}


def check_settings(task: str, planner: str, budget: Budget) -> None:
    """Raise unless a plan can be made with these settings, before there is anything.

    Parameters
    ----------
    task : str
        A file in ``autoseg/tasks``.
    planner : str
        A file in ``planners``.
    budget : Budget
        Its overrides are looked at; how many axes the images have is not known yet.

    Raises
    ------
    UsageError, PluginError
        With what cannot be.
    """
    # Here, so that help is there at once.
    from planners._overrides import check_overrides
    from planners._rules import wishes_of

    PLANNERS[planner]
    wishes_of(TASKS[task], check_overrides(budget.overrides, None))


def _as_name(name: str) -> str:
    if not name or name in (".", "..") or set(name) & set('/\\:*?"<>|'):
        raise UsageError(f"A plan cannot be called {name!r}: it names a folder.")
    return name


def _write(made: Plan, path: Path) -> None:
    try:
        before = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        before = None
    made.save(path)
    if before is not None and path.read_text(encoding="utf-8") != before:
        write_text(path.with_name(f"{path.stem}.{PREVIOUS}.json"), before)
