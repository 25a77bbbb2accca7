"""What the page says about a plan."""

from dataclasses import replace

import pytest

from autoseg.networks import NETWORKS
from autoseg.report.page.content import describe_plan
from autoseg.spec.choice import Choice
from tests.predict import toy_model as toy

THREE = [[1, 1, 1], [1, 2, 2], [2, 2, 2]]


def described(network, options):
    plan = toy.plan(patch=8)
    settings = replace(
        plan.configurations["net"], network=Choice(name=network, options=options)
    )
    found = describe_plan(replace(plan, configurations={"net": settings}))
    return found["configurations"]["net"]["levels"]


@pytest.mark.parametrize(
    "network, options, levels",
    [
        ("plain_unet", {"features": [4, 8, 8], "strides": THREE}, 3),
        ("swin_unetr", {"features": 24, "strides": THREE}, 3),
        # The image's own resolution, two halvings, and a stage that is dilated instead.
        ("fpn", {"strides": [[2, 2, 2], [2, 2, 2], [1, 1, 1]]}, 3),
        ("of_torch", {"features": [4, 8]}, 2),
        ("of_torch", {"features": 4}, 0),
    ],
)
def test_levels_are_the_resolutions_of_a_network(network, options, levels):
    assert described(network, options) == levels


def test_plans_of_every_network_are_described():
    for name in NETWORKS.names():
        options = NETWORKS[name].example(3)[0]
        assert described(name, {**options, "strides": THREE}) == 3, name
