"""Plug-in folder: every file without a leading underscore is one task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.errors import PlanError, some_of
from autoseg.registry import Registry
from autoseg.spec.choice import Choice
from autoseg.spec.dataset import Dataset
from autoseg.spec.settings.values import option_faults

if TYPE_CHECKING:
    from autoseg.tasks.base import Task

TASKS: Registry[type[Task]] = Registry(
    "task", __name__, besides=("losses", "parameter_search")
)


def make_task(choice: Choice) -> Task:
    """Return the task that a plan, a fingerprint or a model names.

    Parameters
    ----------
    choice : Choice
        Such as ``plan.task``.

    Returns
    -------
    Task
        Made with the options.

    Raises
    ------
    PluginError
        If no file has this name.
    PlanError
        If an option is unknown, missing or of a wrong kind.
    """
    kind = TASKS[choice.name]
    faults = option_faults(kind, choice.options)
    if faults:
        raise PlanError(
            f"the task {choice.name} cannot be made with its options: "
            f"{some_of(faults, between='; ')}."
        )
    return kind(**choice.options)


def choose_task(dataset: Dataset) -> Choice:
    """Return the task of a data set, with the options that dataset.json gives.

    Parameters
    ----------
    dataset : Dataset
        As it was read.

    Returns
    -------
    Choice
        For `make_task`, before a planner has added its own options.

    Raises
    ------
    PluginError
        If no file has this name.
    DatasetError
        With everything that is wrong with the task's keys in dataset.json.
    """
    return Choice(name=dataset.task, options=TASKS[dataset.task].from_dataset(dataset))
