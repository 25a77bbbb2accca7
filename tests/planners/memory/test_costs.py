"""What a plan costs."""

import dataclasses

import pytest
import torch

from autoseg.networks.build import build_network
from autoseg.spec.choice import Choice
from planners import PLANNERS
from planners.base import Budget
from planners.memory.costs import cost_of, disk_bytes, window_bytes
from planners.setting import Setting

LIVER = ((200, 500, 500), (1.5, 0.8, 0.8))


@pytest.fixture
def plan(fingerprint, task):
    return PLANNERS["unet"](fingerprint(*LIVER), task(4), Budget())


@pytest.mark.parametrize("name", ["2d", "3d_fullres", "3d_cascade_fullres"])
def test_parameters_are_those_of_the_network(plan, name):
    with torch.device("meta"):
        network = build_network(plan, name, deep_supervision=True)

    cost = cost_of(plan, name, Setting())

    assert cost.parameters == sum(p.numel() for p in network.parameters())


def test_a_cascade_has_a_channel_more_for_each_class(plan):
    full, cascade = (
        cost_of(plan, name, Setting()) for name in ("3d_fullres", "3d_cascade_fullres")
    )

    # 4 more inputs of 27 taps to 32 channels
    assert cascade.parameters - full.parameters == 4 * 27 * 32


def test_the_plans_memory_is_that_of_its_batch(plan):
    for name, chosen in plan.configurations.items():
        total = cost_of(plan, name, Setting()).total(chosen.batch_size)
        stated = sum(chosen.memory.values()) - chosen.memory["reserve"]
        assert stated == pytest.approx(total, abs=10)


def test_a_window_takes_less_than_a_step(plan):
    step = cost_of(plan, "3d_fullres", Setting()).total(1)

    assert 0 < window_bytes(plan, "3d_fullres", Setting()) < step


def test_preprocessed_data_are_counted_once_for_each_grid(fingerprint, task):
    # 20 cases of 100 x 60 x 60, resampled to 2 mm: 50 x 60 x 60; 2 bytes for a channel
    # and 1 for the label.
    found = fingerprint((100, 60, 60), (1, 2, 2), cases=20, names=("a", "b"))
    budget = Budget(overrides={"spacing": [2.0, 2.0, 2.0]})
    plan = PLANNERS["unet"](found, task(), budget)

    disk = disk_bytes(plan, found)

    full = disk[plan.data_id("3d_fullres")]
    assert full == 20 * 50 * 60 * 60 * (2 * 2 + 1)


def test_another_network_has_no_known_cost(plan):
    chosen = dataclasses.replace(
        plan.configuration("2d"), network=Choice(name="transformer")
    )
    other = dataclasses.replace(plan, configurations={"2d": chosen})

    with pytest.raises(Exception, match="No network is called .transformer."):
        cost_of(other, "2d", Setting())
