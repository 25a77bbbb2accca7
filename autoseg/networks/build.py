"""From a plan to the network that it describes."""

from __future__ import annotations

from collections.abc import Mapping

from autoseg.errors import PlanError
from autoseg.networks import NETWORKS
from autoseg.networks._reading import with_readers
from autoseg.networks.base import Trainable
from autoseg.networks.options import network_faults
from autoseg.spec.plan import Plan
from autoseg.tasks import make_task
from autoseg.tasks.base import Task

# What constructors of networks and torch raise about options of wrong kind or size.
NOT_BUILT = (TypeError, ValueError, IndexError, ArithmeticError, RuntimeError)


def build_network(
    plan: Plan,
    configuration: str,
    deep_supervision: bool = False,
    late: bool = False,
    outputs: Mapping[str, int] | None = None,
) -> Trainable:
    """Return the network of a configuration, with weights as training starts.

    Parameters
    ----------
    plan : Plan
        The plan.
    configuration : str
        Name of one of its configurations.
    deep_supervision : bool
        Give one output for each level of the decoder.
    late : bool
        Give `autoseg.networks.base.LateLogits` instead, for networks that can.
    outputs : mapping of str to int, optional
        Other heads than those of the plan's task, with the channels of each.

    Returns
    -------
    Network
        On the CPU. Its inputs are the plan's channels in order, and in a cascade,
        after them, one for each of `cascade_channels`.

    Raises
    ------
    PlanError, PluginError
        If the plan names no network, or options that the network does not have.
    """
    chosen = plan.configuration(configuration)
    task = make_task(plan.task).for_axes(chosen.dim)
    channels = len(plan.channels)
    if chosen.previous is not None:
        channels += cascade_channels(task)
    if any(step > 1 for step in chosen.head_stride) and not task.learns_points:
        raise PlanError(
            f"configurations.{configuration}.network.head_stage must be 0: only points "
            "can be read off coarser outputs."
        )
    heads = outputs or {head.name: head.drawn for head in task.heads}
    where = f"configurations.{configuration}.network"
    faults = network_faults(chosen.network, f"{where}.options.")
    if faults:
        raise PlanError(f"{chosen.network.name} cannot be made: {'; '.join(faults)}.")
    try:
        network: Trainable = NETWORKS[chosen.network.name](
            channels, heads, deep_supervision, **chosen.network.options
        )
    except PlanError as error:
        raise PlanError(f"configurations.{configuration}.network: {error}") from None
    except NOT_BUILT as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PlanError(
            f"{where}: {chosen.network.name} cannot be "
            f"made with the options {', '.join(chosen.network.options)}: {reason}."
        ) from None
    network.late = late
    if outputs is not None:
        return network
    return with_readers(network, task.heads, chosen.dim, deep_supervision)


def cascade_channels(task: Task) -> int:
    """Return how many channels the previous stage's prediction has as an input.

    See `Task.previous_channels`.

    Raises
    ------
    PlanError
        If a task of this kind has one stage only.
    """
    channels = task.previous_channels
    if channels is None:
        raise PlanError(
            f"A cascade needs a task with label values; {type(task).__name__} has "
            "none. Set `previous` to null."
        )
    return channels
