"""Start from the weights of another model, as far as they fit.

Legend: C channels of the image, K channels of the heads.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from autoseg.errors import TrainingError
from autoseg.model.load import load_model
from autoseg.train.channels import adapted, differs_in_inputs
from autoseg.train.encoder_weights import (
    initialize_encoder,
    of_classification,
    read_state,
)
from autoseg.train.loop.checkpoint import load_weights

logger = logging.getLogger(__name__)


def read_weights(source: str | Path) -> dict[str, Tensor]:
    """Return the weights of a checkpoint file, or of the first fold of a model.

    Parameters
    ----------
    source : str or Path
        A checkpoint of ours (``.pt``), anything that `load_model` reads, or weights of
        an encoder as torchvision and timm save them.

    Returns
    -------
    dict of str to Tensor
        On the CPU.
    """
    path = Path(source)
    if (state := read_state(path)) is not None:
        return state
    if path.suffix == ".pt":
        return load_weights(path)
    return dict(load_model(path).weights[0])


def hash_weights(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of names and values, for the record of a run."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].float().numpy().tobytes())
    return digest.hexdigest()


def initialize(
    network: nn.Module, weights: Mapping[str, Tensor], source: str
) -> dict[str, list[str]]:
    """Copy weights into a network wherever name and shape fit.

    Where only the number of image channels differs, the kernels are averaged over the
    old channels, repeated over the new ones, and scaled so that the sum stays. Weights
    of an encoder alone go into the network's encoder, all or none.

    Parameters
    ----------
    network : Module
        Changed in place.
    weights : mapping of str to Tensor
        Of another network.
    source : str
        Where they come from, for messages.

    Returns
    -------
    dict of str to list of str
        Names of tensors: ``"copied"``, ``"adapted"``, and ``"new"`` for those that
        stay as they were made.

    Raises
    ------
    TrainingError
        If not half of the network's tensors fit: then it is another architecture.
    """
    own = network.state_dict()
    report: dict[str, list[str]] = {"copied": [], "adapted": [], "new": []}
    if of_classification(weights):
        report = initialize_encoder(network, weights, source)
        _tell(report, source)
        return report
    with torch.no_grad():
        for name, tensor in own.items():
            given = weights.get(name)
            if given is not None and given.shape == tensor.shape:
                tensor.copy_(given)
                report["copied"].append(name)
            elif given is not None and differs_in_inputs(given, tensor):
                tensor.copy_(adapted(given, tensor))
                report["adapted"].append(name)
            else:
                report["new"].append(name)
    fitting = len(report["copied"]) + len(report["adapted"])
    if fitting < len(own) / 2:
        raise TrainingError(
            f"Only {fitting} of {len(own)} tensors of the network fit the weights of "
            f"{source}: it is another architecture. Use the plan of that model, or "
            "leave out --init-from."
        )
    _tell(report, source)
    return report


def _tell(report: Mapping[str, list[str]], source: str) -> None:
    logger.info(
        "From %s: %d tensors copied, %d adapted to the image channels, %d new%s.",
        source,
        len(report["copied"]),
        len(report["adapted"]),
        len(report["new"]),
        f" ({', '.join(report['new'][:4])}...)" if report["new"] else "",
    )
