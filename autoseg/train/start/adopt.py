"""Take the network of the model that a training starts from, where another is planned.

Weights fit the network that they were trained in. A model that comes along is small,
and a plan for a GPU's memory is not: without this, starting from it would need its
features, kernels and strides typed by hand.
"""

from __future__ import annotations

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
        The model's network, patch and batch; nothing to change where its weights fit
        the planned network, where a network is given by hand, or where weights without
        a model are given.
    """
    named = any(key.startswith("network") for key in asked.plan_changes)
    model = None if named or asked.keep_network else _model_of(asked)
    if model is None or model.settings.dim != job.settings.dim or _fits(model, job):
        return PLANNED
    theirs = model.settings
    changes: dict[str, Any] = {"network": theirs.network.name}
    for name, value in to_json(theirs.network.options).items():
        changes[f"network.{name}"] = value
    if "patch_size" not in asked.plan_changes:
        changes["patch_size"] = list(theirs.patch_size)
    if asked.batch_size is None and "batch_size" not in asked.plan_changes:
        changes["batch_size"] = theirs.batch_size
    return Fit(changes, f"network, patch and batch are those of {asked.init_from}")


def _model_of(asked: Options) -> Model | None:
    """Return the model that is named; None of what is only weights, or nothing."""
    source = asked.init_from
    if source is None or str(source).endswith(ENDINGS):
        return None
    try:
        return load_model(source)
    except ModelError:
        return None  # reading its weights says what is wrong


def _fits(model: Model, job: Job) -> bool:
    """Return whether half of a job's planned network is in a model, by name and shape.

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
    return 2 * len(fitting) >= len(own)
