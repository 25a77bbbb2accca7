"""Where the weights are from that a training starts with, and what is what in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from autoseg.errors import AutosegError, ModelError
from autoseg.model.load import load_model
from autoseg.model.loaders.nnunet.checkpoint import load_checkpoint
from autoseg.model.loaders.nnunet.weights import as_float32, rename_weights
from autoseg.model.model import Model
from autoseg.model.tensors import load_tensors
from autoseg.spec.json import from_json
from autoseg.spec.plan import Plan
from autoseg.tasks import make_task
from autoseg.tasks.base import Task
from autoseg.train.loop.checkpoint import load_weights
from autoseg.train.start.encoder_weights import INSIDE as ENCODER
from autoseg.train.start.encoder_weights import read_state
from autoseg.train.start.nnssl import PLAN, as_ours, learnt_by_nnssl

NNUNET = "network_weights"  # the entry of a checkpoint of nnU-Net, and of nnssl


@dataclass(frozen=True)
class Origin:
    """Weights, with names as far as it is known what is what.

    Parameters
    ----------
    weights : mapping of str to Tensor
        By name.
    channels : tuple of str
        Of the image, in order; empty: not known.
    outputs : tuple of str
        Of the channels of the one head, in order; empty: not known.
    core : str
        The part of a network that has to fit, half of it at least, such as
        ``"encoder."``; empty: all of it.
    """

    weights: Mapping[str, Tensor]
    channels: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    core: str = ""


def read_origin(source: str | Path) -> Origin:
    """Return the weights of a checkpoint file, or of the first fold of a model.

    Parameters
    ----------
    source : str or Path
        A checkpoint of ours (``.pt``), of nnU-Net or nnssl (``.pth``), anything that
        `load_model` reads, or weights of an encoder as torchvision and timm save them.
        Nothing in it is run.

    Returns
    -------
    Origin
        On the CPU.
    """
    path = Path(source)
    if path.suffix == ".pth" and path.is_file():
        found = _of_nnunet(path)
        if found is not None:
            return found
    if (state := read_state(path)) is not None:
        return Origin(state)
    if path.suffix == ".pt":
        return Origin(load_weights(path), *_names_in(path))
    model = load_model(path)
    return Origin(dict(model.weights[0]), *names_of(model.plan))


def model_in(path: Path) -> Model | None:
    """Return the model that a checkpoint of ours is of; None: it does not say it.

    Parameters
    ----------
    path : Path
        Of one of ours (``.pt``).
    """
    try:
        content = load_tensors(path, str(path), mmap=True)
        plan = from_json(Plan, content.get("plan"), str(path))
        configuration = str(content.get("configuration"))
        plan.configuration(configuration)
    except AutosegError:
        return None  # reading its weights says what is wrong
    weights = content.get("weights")
    if not isinstance(weights, Mapping):
        return None
    return Model(
        plan=plan,
        configuration=configuration,
        weights=(weights,),
        folds=(str(content.get("fold")),),
        dataset={},
        source=str(path),
    )


def _of_nnunet(path: Path) -> Origin | None:
    """Return the weights of a checkpoint of nnU-Net or nnssl; None: it is another."""
    try:
        content = load_checkpoint(path, str(path))
    except ModelError:
        return None  # whoever reads it next says what is wrong
    weights = content.get(NNUNET) if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping):
        return None
    found: dict[str, Tensor] = as_float32(rename_weights(weights, ""))
    if not learnt_by_nnssl(content):
        return Origin(found)
    return Origin(as_ours(found, content[PLAN]), core=ENCODER)


def _names_in(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names in the plan of a checkpoint of ours; without one, none."""
    raw = load_tensors(path, str(path)).get("plan")
    try:
        return names_of(from_json(Plan, raw, str(path)))
    except AutosegError:
        return (), ()


def names_of(plan: Plan) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what a plan calls image channels, and channels of its one head."""
    channels = tuple(channel.name for channel in plan.channels)
    try:
        return channels, output_names(make_task(plan.task))
    except AutosegError:  # a task that nobody has here
        return channels, ()


def output_names(task: Task) -> tuple[str, ...]:
    """Return the names of the channels of a task's one head; empty: it has others.

    Examples
    --------
    >>> from autoseg.tasks.semantic import SemanticTask
    >>> output_names(SemanticTask(labels={"background": 0, "b": 7, "a": 3}))
    ('background', 'a', 'b')
    """
    decides: Any = task.pointwise
    if task.learns_points or (decides is not None and decides.painted is not None):
        return tuple(task.classes)
    if decides is None:
        return ()
    named = {task.members(name)[0]: name for name in task.classes}
    return ("background", *(named[value] for value in sorted(named)))
