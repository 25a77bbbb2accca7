"""What a plan costs: memory, operations, parameters, room on disk."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from autoseg.losses import LOSSES
from autoseg.spec.fingerprint import Fingerprint
from autoseg.spec.head import AT_ONCE, Head
from autoseg.spec.plan import Plan
from autoseg.spec.run import Run
from autoseg.spec.settings.recipe import Recipe
from autoseg.tasks import make_task
from autoseg.tasks.base import Task
from planners.memory.losses import PARTLY
from planners.memory.model import StepCost, inference_bytes, step_cost
from planners.memory.reading import Readings
from planners.setting import LossCost, Setting

IMAGE_BYTES = 2  # float16, as `preprocess` stores images unless values are large
LABEL_BYTES = 1  # int8 for fewer than 128 labels; compressed to a few percent of it


def task_of(plan: Plan) -> Task:
    """Return the task of a plan."""
    return make_task(plan.task)


def heads_of(task: Task) -> list[LossCost]:
    """Return a task's heads, as far as they take memory."""
    return [
        LossCost(
            channels=head.drawn,
            loss=_loss_of(head),
            ignore=head.loss.options.get("ignore_index") is not None,
            points=task.learns_points,
            reader=head.reader,
        )
        for head in task.heads
    ]


def _loss_of(head: Head) -> str:
    """Return what a head's loss is called where its maps are counted."""
    name = LOSSES.current(head.loss.name)
    whole = name in ("dice_ce", "dice_bce")
    return PARTLY if whole and head.loss.options.get("partly") else name


def inputs_of(task: Task, channels: int, *, cascade: bool) -> int:
    """Return the channels that a network gets: the image's and, in a cascade, more.

    Parameters
    ----------
    task : Task
        Says how many a previous stage's prediction gives.
    channels : int
        Of the image.
    cascade : bool
        Whether there is a previous stage.
    """
    return channels + (task.previous_channels or 0) * cascade


def setting_of(run: Run) -> Setting:
    """Return how a training computes a step, by its record."""
    recipe = Recipe(**run.recipe)
    return Setting(
        precision=run.precision,
        optimizer="adamw" if recipe.optimizer == "adamw" else "sgd",
        deep_supervision=recipe.deep_supervision,
        device="cuda" if run.device == "cuda" else "cpu",
        recompute=recipe.recompute,
    )


def cost_of(plan: Plan, name: str, setting: Setting) -> StepCost:
    """Return what a training step of a configuration costs.

    Parameters
    ----------
    plan : Plan
        Made by a planner or by hand.
    name : str
        Of the configuration.
    setting : Setting
        Precision, optimizer, device.

    Returns
    -------
    StepCost
        For any batch size.

    Raises
    ------
    PlanError
        If there is no such configuration, or its network is not one of ours.
    """
    chosen, task = plan.configuration(name), task_of(plan)
    return step_cost(
        chosen.network.name,
        chosen.network.options,
        chosen.patch_size,
        in_channels=inputs_of(
            task, len(plan.channels), cascade=chosen.previous is not None
        ),
        heads=heads_of(task),
        setting=setting,
    )


def window_bytes(plan: Plan, name: str, setting: Setting) -> float:
    """Return the peak bytes of predicting one window, weights included."""
    chosen, task = plan.configuration(name), task_of(plan)
    outputs = sum(head.drawn for head in task.heads)
    if task.learns_points:
        outputs = min(outputs, AT_ONCE)
    per_window, fixed = inference_bytes(
        chosen.network.name,
        chosen.network.options,
        chosen.patch_size,
        in_channels=inputs_of(
            task, len(plan.channels), cascade=chosen.previous is not None
        ),
        out_channels=outputs,
        setting=setting,
    )
    read = Readings.of(heads_of(task))
    voxels = math.prod(chosen.patch_size)
    return per_window + fixed + read.window(voxels)


def disk_bytes(plan: Plan, fingerprint: Fingerprint) -> Mapping[str, float]:
    """Return the size of the preprocessed data before compression.

    Parameters
    ----------
    plan : Plan
        Its grids.
    fingerprint : Fingerprint
        Shapes and spacings of the cases.

    Returns
    -------
    mapping of str to float
        Bytes by `Plan.data_id`; configurations with equal data share one.
    """
    shapes = np.asarray(fingerprint.shapes, dtype=float)[:, plan.transpose]
    spacings = np.asarray(fingerprint.spacings, dtype=float)[:, plan.transpose]
    per_voxel = IMAGE_BYTES * len(plan.channels) + LABEL_BYTES
    found: dict[str, float] = {}
    for name, chosen in plan.configurations.items():
        target = spacings.copy()
        target[:, -chosen.dim :] = chosen.spacing
        voxels = np.rint(spacings / target * shapes).prod(axis=1).mean()
        found[plan.data_id(name)] = float(voxels * fingerprint.num_cases * per_voxel)
    return found
