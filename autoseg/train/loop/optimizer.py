"""The optimizer of a recipe."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import nn

from autoseg.networks.base import Trainable
from autoseg.train.loop._eager import SGD
from autoseg.train.loop._eager import AdamW as AdamW
from autoseg.train.loop.muon import Muon
from autoseg.train.loop.schedule import learning_rate, taken_share
from autoseg.train.setup.recipes import Recipe

TAKEN = "taken"  # in a group of parameters: their names, if another model had them


def take(
    optimizer: torch.optim.Optimizer,
    network: nn.Module,
    names: Collection[str],
    recipe: Recipe,
) -> None:
    """Let weights that were taken from another model learn as a recipe says of them.

    Parameters
    ----------
    optimizer : Optimizer
        Of the network; it has made no step yet. Its groups are divided where the recipe
        has another rate for what was taken.
    network : Module
        Names the weights.
    names : collection of str
        Of what was taken; buffers, and weights that are frozen, do not count.
    recipe : Recipe
        Says the rate.
    """
    if recipe.taken_rate == 1 and not recipe.taken_warmup:
        return
    chosen = {id(p): name for name, p in network.named_parameters() if name in names}
    for group in list(optimizer.param_groups):
        apart = [p for p in group["params"] if id(p) in chosen]
        if not apart:
            continue
        known = [chosen[id(p)] for p in apart]
        if len(apart) == len(group["params"]):
            group[TAKEN] = known
            continue
        group["params"] = [p for p in group["params"] if id(p) not in chosen]
        optimizer.add_param_group({**group, "params": apart, TAKEN: known})


def set_rates(
    optimizer: torch.optim.Optimizer, recipe: Recipe, progress: float
) -> None:
    """Set the learning rates for a point of the training, in [0, 1]."""
    rate = learning_rate(recipe, progress)
    slower = rate * taken_share(recipe, progress)
    for group in optimizer.param_groups:
        group["lr"] = slower if group.get(TAKEN) else rate


def load_optimizer(
    optimizer: torch.optim.Optimizer,
    network: nn.Module,
    state: Mapping[str, Any],
    recipe: Recipe,
) -> None:
    """Go on from an optimizer's state, in which weights may have been set apart."""
    names = {name for group in state["param_groups"] for name in group.get(TAKEN, ())}
    if names and not any(group.get(TAKEN) for group in optimizer.param_groups):
        take(optimizer, network, names, recipe)
    optimizer.load_state_dict(dict(state))


def make_optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Return the recipe's optimizer of all weights of a network."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    if recipe.optimizer == "sgd":
        return SGD(
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
    return AdamW(
        parameters,
        lr=recipe.learning_rate,
        betas=(recipe.momentum, recipe.second_momentum),
        weight_decay=recipe.weight_decay,
    )
