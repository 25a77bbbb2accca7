"""Weights that were taken from another model may learn at another rate."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from autoseg.train.loop.optimizer import (
    TAKEN,
    load_optimizer,
    make_optimizer,
    set_rates,
    take,
)
from autoseg.train.setup.recipes import RECIPES


def without(group, *names):
    return {key: value for key, value in group.items() if key not in names}


@pytest.mark.parametrize("name", ["nnunet", "fast", "adamw"])
def test_taken_weights_are_groups_of_their_own_and_nothing_else_changes(name):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    recipe = replace(RECIPES[name], taken_rate=0.1)
    plain = make_optimizer(recipe, network)
    known = [without(group, "params") for group in plain.param_groups]

    take(plain, network, ["0.weight", "0.bias", "nowhere"], recipe)

    apart = [g for g in plain.param_groups if g.get(TAKEN)]
    rest = [g for g in plain.param_groups if not g.get(TAKEN)]
    named = {id(p): n for n, p in network.named_parameters()}
    found = [sorted(named[id(p)] for g in groups for p in g["params"])
             for groups in (apart, rest)]  # fmt: skip
    assert found == [["0.bias", "0.weight"], ["1.bias", "1.weight"]]
    settings = [without(group, "params", TAKEN) for group in plain.param_groups]
    assert all(one in known for one in settings)


@pytest.mark.parametrize("name", ["nnunet", "fast", "adamw"])
def test_taken_weights_move_by_their_own_rate_also_after_a_stop(name):
    recipe = replace(RECIPES[name], taken_rate=0.25, taken_warmup=0.5)
    one, other = (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)) for _ in range(2))
    first = make_optimizer(recipe, one)
    take(first, one, ["0.weight"], recipe)
    second = make_optimizer(recipe, other)

    load_optimizer(second, other, first.state_dict(), recipe)

    for optimizer in (first, second):
        set_rates(optimizer, recipe, 0.6)
        rates = {g["lr"] for g in optimizer.param_groups if not g.get(TAKEN)}
        (slow,) = (g for g in optimizer.param_groups if g.get(TAKEN))
        assert slow[TAKEN] == ["0.weight"] and len(rates) == 1
        assert slow["lr"] == pytest.approx(0.25 * max(rates))
        set_rates(optimizer, recipe, 0.0)
        assert slow["lr"] < 0.02 * optimizer.param_groups[0]["lr"]


def test_without_a_rate_of_their_own_nothing_is_set_apart():
    network = nn.Linear(2, 2)
    optimizer = make_optimizer(RECIPES["nnunet"], network)

    take(optimizer, network, ["weight"], RECIPES["nnunet"])

    assert not any(TAKEN in group for group in optimizer.param_groups)
