"""From a plan to its network."""

import dataclasses

import pytest
import torch

from autoseg.errors import PlanError, PluginError
from autoseg.networks.build import build_network, cascade_channels
from autoseg.networks.plain_unet import PlainUNet
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration
from autoseg.spec.plan import Channel, Plan
from autoseg.tasks import TASKS


def _plan(network="plain_unet", labels=None, ignore=None, options=None):
    if options is None:
        options, patch = PlainUNet.example(2)
    else:
        patch = (4, 8)
    lowres = Configuration(
        spacing=(1.0, 1.0),
        patch_size=patch,
        batch_size=2,
        median_shape=(16.0, 16.0),
        network=Choice(name=network, options=options),
    )
    task = {"labels": labels or {"background": 0, "liver": 1, "tumor": 2}}
    if ignore is not None:
        task["ignore"] = ignore
    if any(isinstance(v, list) for v in task["labels"].values()):
        task["regions_class_order"] = [1, 2]
    return Plan(
        name="test",
        dataset="test",
        planner="unet",
        task=Choice(name="semantic", options=task),
        unit="mm",
        transpose=(0, 1),
        channels=tuple(
            Channel(name=n, normalizer=Choice(name="zscore")) for n in ("T1", "T2")
        ),
        configurations={
            "lowres": lowres,
            "cascade": dataclasses.replace(lowres, previous="lowres"),
        },
    )


def test_inputs_are_the_channels_and_outputs_the_heads_of_the_task():
    network = build_network(_plan(), "lowres")

    outputs = network(torch.zeros(1, 2, 4, 8))

    assert outputs["classes"].shape == (1, 3, 4, 8)


def test_deep_supervision_is_passed_on():
    network = build_network(_plan(), "lowres", deep_supervision=True)

    outputs = network(torch.zeros(1, 2, 4, 8))

    assert [o.shape[2:] for o in outputs["classes"]] == [(4, 8), (4, 4)]


@pytest.mark.parametrize(
    ("labels", "ignore", "extra"),
    [
        ({"background": 0, "liver": 1, "tumor": 2}, None, 2),
        ({"background": 0, "liver": 1, "tumor": 2}, 3, 2),  # ignored: never predicted
        (
            {"background": 0, "whole": [1, 2], "tumor": 2},
            None,
            2,
        ),  # values, not regions
    ],
)
def test_a_cascade_has_one_input_more_for_each_foreground_value(labels, ignore, extra):
    plan = _plan(labels=labels, ignore=ignore)

    network = build_network(plan, "cascade")

    assert cascade_channels(TASKS["semantic"](**plan.task.options)) == extra
    assert network(torch.zeros(1, 2 + extra, 4, 8))["classes"].shape[0] == 1


def test_a_cascade_of_a_task_without_label_values_is_refused():
    task = TASKS["instance"](labels={"cell": 1})

    with pytest.raises(PlanError, match="InstanceTask has none"):
        cascade_channels(task)


def test_a_network_that_does_not_exist_is_named():
    with pytest.raises(PluginError, match="Did you mean 'plain_unet'"):
        build_network(_plan(network="plain_unett"), "lowres")


def test_an_option_that_the_network_does_not_have_is_named():
    options, _ = PlainUNet.example(2)

    with pytest.raises(PlanError, match="configurations.lowres.network.*depth"):
        build_network(_plan(options={**options, "depth": 3}), "lowres")
