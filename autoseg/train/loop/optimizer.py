"""The optimizer of a recipe."""

from __future__ import annotations

import torch
from torch import nn

from autoseg.networks.base import Trainable
from autoseg.train.loop.muon import Muon
from autoseg.train.setup.recipes import Recipe


def make_optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Return the recipe's optimizer of all weights of a network."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.nesterov,
        )
    if recipe.optimizer == "muon":
        last = network.last_parameters() if isinstance(network, Trainable) else ()
        apart = {id(p) for p in last}
        hidden = [p for p in parameters if p.dim() > 1 and id(p) not in apart]
        chosen = {id(p) for p in hidden}
        return Muon(
            hidden,
            [p for p in parameters if id(p) not in chosen],
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            second_momentum=recipe.second_momentum,
            weight_decay=recipe.weight_decay,
        )
    return torch.optim.AdamW(
        parameters,
        lr=recipe.learning_rate,
        betas=(recipe.momentum, recipe.second_momentum),
        weight_decay=recipe.weight_decay,
    )
