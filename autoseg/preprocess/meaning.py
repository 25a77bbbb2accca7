"""What a plan was made for, beside what dataset.json says now."""

from __future__ import annotations

from autoseg.errors import DatasetError
from autoseg.spec.dataset import Dataset
from autoseg.spec.plan import Plan
from autoseg.tasks import TASKS

CALLED = {"partly": "annotated"}  # options of tasks by their keys in dataset.json


def must_fit(plan: Plan, dataset: Dataset) -> str:
    """Return what is to be said of a plan that was made for another dataset.json.

    Parameters
    ----------
    plan : Plan
        What counts.
    dataset : Dataset
        As dataset.json describes it now.

    Returns
    -------
    str
        A warning that names the keys, and what to do; empty if there is none.

    Raises
    ------
    DatasetError
        If the plan is for another task or number of channels.
    """
    again = f"Run `autoseg plan_and_preprocess {dataset.folder}` to plan again."
    if len(plan.channels) != len(dataset.channel_names):
        raise DatasetError(
            f"the plan {plan.name!r} is for {len(plan.channels)} channels, but "
            f"{dataset.folder / 'dataset.json'} names {len(dataset.channel_names)}. "
            + again
        )
    if plan.task.name != dataset.task:
        raise DatasetError(
            f"the plan {plan.name!r} is for the task {plan.task.name!r}, but "
            f"{dataset.folder / 'dataset.json'} says {dataset.task!r}. {again}"
        )
    changed = other_keys(plan, dataset)
    if not changed:
        return ""
    return (
        f"the plan {plan.name!r} has other values of {', '.join(changed)} than "
        f"dataset.json, and these count. {again}"
    )


def other_keys(plan: Plan, dataset: Dataset) -> list[str]:
    """Return the keys of dataset.json that say otherwise than they did for a plan.

    Parameters
    ----------
    plan : Plan
        Of a data set, or of a model that was trained on it.
    dataset : Dataset
        As dataset.json describes it now.
    """
    if plan.task.name != dataset.task:
        return ["task"]
    given = TASKS[dataset.task].from_dataset(dataset)
    options = plan.task.options
    changed = [CALLED.get(k, k) for k in given if options.get(k) != given[k]]
    if [channel.name for channel in plan.channels] != list(dataset.channel_names):
        changed.append("channel_names")
    return changed + (["crop"] if plan.crop != dataset.crop else [])
