"""Plug-in folder: every file without a leading underscore is one task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoseg.registry import Registry
from autoseg.spec.choice import Choice
from autoseg.spec.dataset import Dataset

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
    """
    return TASKS[choice.name](**choice.options)


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
