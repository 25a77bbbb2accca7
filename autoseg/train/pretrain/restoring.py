"""The planned network with one output that fills in what is hidden, and its loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from autoseg.networks.base import Trainable
from autoseg.networks.build import build_network
from autoseg.spec.settings.recipe import recomputes
from autoseg.train.pretrain.patches import HEAD
from autoseg.train.setup.hardware import Hardware
from autoseg.train.setup.job import Job
from autoseg.train.setup.ranks import Ranks
from autoseg.train.setup.recipes import Recipe


class Restoring(nn.Module):
    """The error of what was filled in, as Huber measures it: outliers count little.

    Only voxels that were hidden count.
    """

    lowest = 0.0

    def divide(self, ranks: Ranks) -> None:
        """Nothing is shared out: one process learns."""

    def forward(
        self, outputs: Mapping[str, Any], learned: Mapping[str, Tensor]
    ) -> Tensor:
        """Return the mean error of hidden voxels.

        Parameters
        ----------
        outputs : mapping of str to Tensor (B, C, *P), or to list of Tensor
            Finest first.
        learned : mapping of str to Tensor, shape (B, C, *P)
            NaN where nothing was hidden.
        """
        found = outputs[HEAD]
        found = (found if isinstance(found, Tensor) else found[0]).float()
        wanted = learned[HEAD]
        known = torch.isfinite(wanted)
        apart = functional.smooth_l1_loss(
            found, torch.where(known, wanted, found.detach()), reduction="none"
        )
        return (apart * known).sum() / known.sum().clamp(min=1)


def restoring_network(job: Job, recipe: Recipe, hardware: Hardware) -> nn.Module:
    """Return the network of a job with as many outputs as its image has channels."""
    network = build_network(
        job.plan, job.configuration, outputs={HEAD: len(job.plan.channels)}
    )
    network.recompute = recomputes(recipe.recompute, hardware.device.type)
    return network


def without_outputs(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights that another task can use: all but the last layers'."""
    last = network.last_parameters() if isinstance(network, Trainable) else ()
    unwanted = {parameter.data_ptr() for parameter in last}
    state: dict[str, Tensor] = network.state_dict()
    return {
        name: tensor
        for name, tensor in state.items()
        if not (tensor.numel() and tensor.data_ptr() in unwanted)
        and not _is_output(name)
    }


def _is_output(name: str) -> bool:
    return ".seg_layers." in name or "heads" in name
