"""Take from the model that a training starts from what its weights were learnt with.

Weights fit the network that they were trained in. A model that comes along is small,
and a plan for a GPU's memory is not: without this, starting from it would need its
features, kernels and strides typed by hand.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from autoseg.errors import ModelError
from autoseg.model.load import load_model
from autoseg.model.model import Model
from autoseg.networks.build import build_network
from autoseg.spec.json import to_json
from autoseg.train.fit import PLANNED, Fit
from autoseg.train.setup.job import Job
from autoseg.train.setup.options import Options
from autoseg.train.start.channels import differs_in_inputs
from autoseg.train.start.encoder_weights import ENDINGS
from autoseg.train.start.origin import model_in

TAKEN, RATE = "train.taken_rate", "train.learning_rate"
GENTLE = 0.03  # of 1, 0.1 and 0.03, what served ten pictures of nuclei best


def adopt_network(job: Job, asked: Options) -> Fit:
    """Return what makes a job's network that of the model that it starts from.

    Parameters
    ----------
    job : Job
        As planned.
    asked : Options
        What is given by hand there stays; ``init_from`` names the model.

    Returns
    -------
    Fit
        The model's network, patch and batch, where a network is not given by hand and
        its weights do not fit the planned one; and what its outputs mean, such as how
        far distances reach and how objects are read, unless that is given by hand.
        Nothing of weights without a model.
    """
    model = _model_of(asked)
    if model is None or model.settings.dim != job.settings.dim:
        return PLANNED
    network, meaning = _network_of(model, job, asked), _meaning_of(model, job, asked)
    if not network and not meaning:
        return PLANNED
    parts = ["network, patch and batch"] if network else []
    parts += ["what outputs mean, and how they are read,"] if meaning else []
    because = f"{' and '.join(parts)} are those of {asked.init_from}"
    return Fit({**network, **meaning}, because)


def _meaning_of(model: Model, job: Job, asked: Options) -> dict[str, Any]:
    """Return what of a job's task is to be as in a model of the same task."""
    if model.plan.task.name != job.plan.task.name:
        return {}
    found = job.task.adopted(model.task_options())
    changes = {f"task.{name}": value for name, value in found.items()}
    given = asked.plan_changes
    return {
        key: value
        for key, value in changes.items()
        if not any(other == key or other.startswith(f"{key}.") for other in given)
    }


def _network_of(model: Model, job: Job, asked: Options) -> dict[str, Any]:
    """Return what of a job's configuration is to be as in a model."""
    named = any(key.startswith("network") for key in asked.plan_changes)
    if named or asked.keep_network or _fits(model, job):
        return {}
    theirs = model.settings
    changes: dict[str, Any] = {"network": theirs.network.name}
    for name, value in to_json(theirs.network.options).items():
        changes[f"network.{name}"] = value
    if "patch_size" not in asked.plan_changes:
        changes["patch_size"] = list(theirs.patch_size)
    if asked.batch_size is None and "batch_size" not in asked.plan_changes:
        changes["batch_size"] = theirs.batch_size
    return changes


def _model_of(asked: Options) -> Model | None:
    """Return the model that is named; None of what is only weights, or nothing."""
    source = asked.init_from
    if source is not None and str(source).endswith(".pt"):
        return model_in(Path(source))
    if source is None or str(source).endswith(ENDINGS):
        return None
    try:
        return load_model(source)
    except ModelError:
        return None  # reading its weights says what is wrong


def gently(job: Job, asked: Options) -> Options:
    """Return the options with a low rate for a network that is taken as a whole.

    Ten pictures spoil a model that is trained on at the rate of a training from nothing
    (docs/benchmarks.md, The first hour). A rate that is given by hand stays.

    Parameters
    ----------
    job : Job
        As it is trained, what `adopt_network` found included.
    asked : Options
        ``init_from`` names the model.
    """
    if asked.lr is not None or {TAKEN, RATE} & set(asked.settings):
        return asked
    model = _model_of(asked)
    if model is None or model.plan.task.name != job.plan.task.name:
        return asked
    if _share(model, job) < 1:
        return asked
    return replace(asked, settings={**asked.settings, TAKEN: GENTLE})


def _fits(model: Model, job: Job) -> bool:
    """Return whether half of a job's planned network is in a model."""
    return _share(model, job) >= 0.5


def _share(model: Model, job: Job) -> float:
    """Return the share of a job's tensors that a model has, by name and shape.

    Kernels for another number of image channels fit, too: see `initialize`.
    """
    with torch.device("meta"):
        own = build_network(job.plan, job.configuration).state_dict()
    given = model.weights[0]
    fitting = [
        name
        for name, tensor in own.items()
        if name in given
        and (
            given[name].shape == tensor.shape or differs_in_inputs(given[name], tensor)
        )
    ]
    return len(fitting) / len(own)
