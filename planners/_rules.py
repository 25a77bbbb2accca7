"""From a fingerprint to a plan, by nnU-Net's rules; the same for every U-Net.

The rules are those of nnU-Net v2 [1]_, numbers and order of arithmetic included, so
that plans are equal to its plans.

References
----------
.. [1] Isensee et al., "nnU-Net: a self-configuring method for deep learning-based
   biomedical image segmentation", Nature Methods 18, 2021.
   doi:10.1038/s41592-020-01008-z
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autoseg.errors import PlanError, UsageError, did_you_mean
from autoseg.spec.choice import Choice, Decision
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Plan, as_options
from autoseg.spec.settings.values import fault, parameters_of
from autoseg.tasks import TASKS
from autoseg.tasks.base import Task
from planners._channels import choose_channels
from planners._configurations import Planning
from planners._family import UNETS, Family, settable_options
from planners._landmarks import affordable, hold_landmarks
from planners._losses import about_losses, check_losses, put_together
from planners._overrides import Overrides, check_overrides
from planners._reasons import about_grid, about_the_rest
from planners.base import Budget
from planners.grids.spacing import Grid, choose_grid
from planners.memory.measured import is_module
from planners.network import is_declared


def make_plan(
    fingerprint: Fingerprint,
    task: Choice,
    budget: Budget,
    family: Family,
    *,
    planner: str,
    name: str | None = None,
) -> Plan:
    """Return the plan of a family of U-Nets.

    Parameters
    ----------
    fingerprint : Fingerprint
        The data set, in numbers.
    task : Choice
        A file in ``autoseg/tasks``, with the options that dataset.json gives.
    budget : Budget
        What the plan may cost.
    family : Family
        Kind and size of the network.
    planner : str
        Name of the planner's file.
    name : str, optional
        Name of the plan; by default the planner's.

    Returns
    -------
    Plan
        With a `Decision` for each value.

    Raises
    ------
    PlanError
        If nothing fits the budget; with what the smallest plan needs.
    UsageError
        If what the user fixed cannot be; with what can.
    """
    kind = TASKS[task.name]
    overrides = check_overrides(budget.overrides, fingerprint.dim)
    wishes = wishes_of(kind, overrides)
    options, of_task = kind.configure(
        {**task.options, **wishes}, fingerprint.annotation
    )
    check_losses(kind(**options), wishes.get("losses", {}))
    grid, of_spacing = _grid(fingerprint, overrides, kind)
    channels, of_channels = choose_channels(fingerprint)
    budget = counted_in_bytes(budget, overrides)
    budget, of_budget = affordable(budget, kind.needs_all)

    planned = Planning(
        fingerprint=fingerprint,
        task=kind(**options),
        family=family,
        budget=budget,
        overrides=overrides,
    ).on
    fixed = "spacing" in overrides.values
    if not fixed and kind.needs_all:
        grid, of_spacing = hold_landmarks(fingerprint, grid, planned, bool(of_budget))
    planning = _finished(planned(grid))
    plan = Plan(
        name=name or planner,
        dataset=fingerprint.dataset,
        planner=planner,
        task=Choice(name=task.name, options=options),
        unit=fingerprint.unit,
        orientation=fingerprint.orientation,
        crop=fingerprint.crop,
        transpose=grid.transpose,
        channels=channels,
        configurations=planning.configurations,
        training=_training(overrides, planning.task),
        budget=_record(budget, planning.gb),
    )
    decisions = (
        *of_task,
        *about_losses(wishes.get("losses", {})),
        *of_budget,
        *of_spacing,
        *about_grid(fingerprint, grid, fixed),
        *of_channels,
        *planning.decisions,
        *about_the_rest(plan, _sided(kind, fingerprint, overrides)),
    )
    return replace(plan, decisions=decisions)


def _sided(
    kind: type[Task], fingerprint: Fingerprint, overrides: Overrides
) -> dict[int, str] | None:
    """Return why axes are not mirrored; None if the user says which are."""
    if any(key.endswith("mirror_axes") for key in overrides.values):
        return None
    return kind.sided(fingerprint.annotation)


def counted_in_bytes(budget: Budget, overrides: Overrides) -> Budget:
    """Return a budget by bytes where nnU-Net's count of elements says nothing.

    The count stands for memory in its two U-Nets only; it knows no gates, no attention,
    and no supervision of the image's size. Of a network that is written in torch, the
    bytes are measured.
    """
    named = [v for key, v in overrides.values.items() if key.endswith("network")]
    if all(name in UNETS or not _is_counted(name) for name in named):
        return budget
    return replace(budget, rule="bytes")


def _is_counted(network: str) -> bool:
    return is_declared(network) or is_module(network)


def wishes_of(kind: Any, overrides: Overrides) -> dict[str, Any]:
    """Return the task's options that the user fixed."""
    found = {
        key.removeprefix("task."): value
        for key, value in overrides.values.items()
        if key.startswith("task.")
    }
    settable = {*kind.settable, *(("losses",) if kind.learns_points else ())}
    unknown = [key for key in found if key.partition(".")[0] not in settable]
    if unknown:
        there = ", ".join(f"task.{key}" for key in kind.settable) or "none"
        raise UsageError(
            f"--set: the task has no task.{unknown[0]} that can be set; "
            f"there are {there}.{did_you_mean(unknown[0], kind.settable)}"
        )
    found = put_together(found, kind.learns_points)
    hints = {name: p.annotation for name, p in parameters_of(kind).items()}
    wrong = [
        problem
        for key, value in found.items()
        if key in hints and (problem := fault(f"task.{key}", hints[key], value))
    ]
    if wrong:
        raise UsageError(f"--set {'; '.join(wrong)}.")
    return found


def _grid(
    fingerprint: Fingerprint, overrides: Overrides, kind: Any
) -> tuple[Grid, tuple[Decision, ...]]:
    grid = choose_grid(fingerprint)
    wanted = overrides.values.get("spacing")
    if wanted is None:
        fitting, decisions = kind.fitting_spacing(grid.spacing, fingerprint.annotation)
        if fitting is None:
            return grid, decisions
        return choose_grid(fingerprint, fitting), decisions
    # What is set is in the order of the plan without it.
    spacing = [0.0] * fingerprint.dim
    for axis, edge in zip(grid.transpose, wanted, strict=True):
        spacing[axis] = float(edge)
    return choose_grid(fingerprint, spacing), ()


def _finished(planning: Planning) -> Planning:
    """Add what comes after the full resolution; raise PlanError if there is nothing."""
    planning.add_fine(choose_grid(planning.fingerprint))
    if not planning.configurations:
        raise _nothing_fits(planning)
    return planning


def _nothing_fits(planning: Planning) -> PlanError:
    reasons = "\n".join(f"  {d.field}: {d.because}" for d in planning.decisions)
    return PlanError(
        f"Nothing fits {planning.words}:\n{reasons}\nGive --gpu-memory "
        f"{planning.least_gb:.2f} or more{_smaller(planning)}."
    )


def _smaller(planning: Planning) -> str:
    """Return how to ask for a smaller network, by an option that it has."""
    network = planning.fixed.get("network")
    if network is not None and not is_declared(network):
        return ""
    known = settable_options(network)
    set_to = "--set network.{}".format
    if "narrow" in known:
        return f", or half of its channels with {set_to('narrow=2')}"
    if "hidden" in known:
        return f", or a smaller network with {set_to('hidden=...')}"
    if known.get("features") is int:
        return f", or a smaller network with {set_to('features=...')}"
    if "features" in known:
        return f", or a smaller network with {set_to('features=16,32,64')}"
    return ""


def _record(budget: Budget, gb: float) -> Choice:
    options: dict[str, Any] = {"memory_gb": gb, "precision": budget.precision}
    if budget.gpus > 1:
        options["gpus"] = budget.gpus
    if budget.preset is not None:
        options["preset"] = budget.preset
    if budget.operations is not None:
        options["operations"] = budget.operations
    if budget.overrides:
        options["overrides"] = as_options(**dict(budget.overrides))
    return Choice(name=budget.rule, options=options)


def _training(overrides: Overrides, task: Task) -> Choice:
    """Return the recipe: what the user fixed, else what the task wants.

    What a network wants is looked up when it is trained, which may be another network.
    """
    options: dict[str, Any] = dict(task.training) | {
        key.removeprefix("train."): value
        for key, value in overrides.values.items()
        if key.startswith("train.")
    }
    return Choice(name=overrides.values.get("train", "auto"), options=options)
