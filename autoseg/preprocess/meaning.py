"""What a plan was made for, beside what dataset.json says now."""

from __future__ import annotations

from autoseg.errors import DatasetError
from autoseg.spec.dataset import Dataset
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.plan import Plan
from autoseg.tasks import TASKS
from autoseg.workspace import Workspace

CALLED = {"partly": "annotated"}  # options of tasks by their keys in dataset.json


def measured_in(workspace: Workspace) -> Fingerprint | None:
    """Return the fingerprint of a data set; None where a plan came from elsewhere."""
    path = workspace.fingerprint
    return Fingerprint.load(path) if path.is_file() else None


def must_fit(
    plan: Plan, dataset: Dataset, fingerprint: Fingerprint | None = None
) -> str:
    """Return what is to be said of a plan that was made for another dataset.json.

    Parameters
    ----------
    plan : Plan
        What counts.
    dataset : Dataset
        As dataset.json describes it now.
    fingerprint : Fingerprint, optional
        Of the images that there are now.

    Returns
    -------
    str
        Warnings that name what differs, and what to do; empty if nothing does.

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
    said = []
    changed = other_keys(plan, dataset)
    if changed:
        said.append(
            f"the plan {plan.name!r} has other values of {', '.join(changed)} than "
            "dataset.json, and these count."
        )
    if fingerprint is not None and plan.orientation is None:
        known = fingerprint.orientations
        if len(known) > 1:
            listed = ", ".join(f"{count} {code}" for code, count in known.items())
            said.append(
                f"the plan {plan.name!r} turns no image, and the images have several "
                f"orientations now ({listed}): each is learnt as it lies in its file."
            )
    return " ".join([*said, again]) if said else ""


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
