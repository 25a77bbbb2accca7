"""The default planner: what a plan holds, and what it says when it cannot be."""

import json
import re

import pytest

from autoseg.errors import PlanError, UsageError
from autoseg.spec.choice import Choice
from autoseg.spec.plan import Plan
from planners import PLANNERS
from planners.base import Budget

unet = PLANNERS["unet"]
LIVER = ((200, 500, 500), (1.5, 0.8, 0.8))


def test_a_volume_gets_two_and_three_dimensional_configurations(fingerprint, task):
    plan = unet(fingerprint((60, 128, 128), (1, 1, 1)), task(), Budget())

    assert list(plan.configurations) == ["2d", "3d_fullres"]
    assert plan.configuration("2d").dim == 2
    assert plan.name == plan.planner == "unet"


def test_a_large_volume_gets_a_low_resolution_and_a_cascade(fingerprint, task):
    plan = unet(fingerprint(*LIVER), task(), Budget())

    low, full, cascade = (
        plan.configuration(f"3d_{name}")
        for name in ("lowres", "fullres", "cascade_fullres")
    )
    assert list(plan.configurations) == [
        "2d",
        "3d_lowres",
        "3d_fullres",
        "3d_cascade_fullres",
    ]
    assert all(a > b for a, b in zip(low.spacing, full.spacing, strict=True))
    assert (low.batch_dice, full.batch_dice) == (False, True)
    assert cascade.previous == "3d_lowres"
    assert (cascade.patch_size, cascade.network) == (full.patch_size, full.network)


def test_one_slice_and_two_dimensional_images_get_2d_only(fingerprint, task):
    thin = unet(fingerprint((1, 300, 300), (5, 1, 1)), task(), Budget())
    flat = unet(fingerprint((300, 400), (1, 1)), task(), Budget())

    assert list(thin.configurations) == list(flat.configurations) == ["2d"]
    assert flat.transpose == (0, 1)
    assert flat.configuration("2d").patch_size == (320, 448)


def test_every_field_of_a_configuration_has_a_decision(fingerprint, task):
    plan = unet(fingerprint(*LIVER), task(), Budget())

    told = {decision.field for decision in plan.decisions}
    for name in ("2d", "3d_lowres", "3d_fullres"):
        fields = ("patch_size", "batch_size", "network", "batch_dice")
        assert {f"{name}.{field}" for field in fields} <= told
    assert {"spacing", "transpose", "orientation", "training"} <= told
    assert all(d.value and d.rule and d.because for d in plan.decisions)


def test_decisions_say_what_the_plan_says(fingerprint, task):
    plan = unet(fingerprint(*LIVER), task(), Budget())

    told = {decision.field: decision.value for decision in plan.decisions}
    for name, chosen in plan.configurations.items():
        if chosen.previous is None:
            assert told[f"{name}.batch_size"] == str(chosen.batch_size)
            assert told[f"{name}.batch_dice"] == str(chosen.batch_dice)
            patch = " x ".join(map(str, chosen.patch_size))
            assert told[f"{name}.patch_size"] == patch


def test_a_plan_comes_back_from_disk_as_it_was(fingerprint, task, tmp_path):
    plan = unet(fingerprint(*LIVER), task(3), Budget(overrides={"batch_size": 3}))

    plan.save(tmp_path / "plan.json")

    assert Plan.load(tmp_path / "plan.json") == plan


def test_the_budget_is_recorded(fingerprint, task):
    budget = Budget(memory_gb=6, rule="bytes", overrides={"2d.batch_size": 3})

    plan = unet(fingerprint((60, 128, 128), (1, 1, 1)), task(), budget)

    assert plan.budget.name == "bytes"
    assert plan.budget.options["memory_gb"] == 6
    assert plan.budget.options["overrides"] == {"2d.batch_size": 3}


def test_the_same_fingerprint_gives_the_same_plan(fingerprint, task):
    found = fingerprint(*LIVER)

    assert unet(found, task(), Budget()) == unet(found, task(), Budget())


def test_orientation_and_unit_are_the_fingerprints(fingerprint, task):
    found = fingerprint(
        (60, 128, 128),
        (1, 1, 1),
        orientation="LPS",
        orientations={"LPS": 3, "RAS": 1},
        unit="um",
    )

    plan = unet(found, task(), Budget())

    assert (plan.orientation, plan.unit) == ("LPS", "um")
    because = next(d.because for d in plan.decisions if d.field == "orientation")
    assert because == "3 cases are LPS, 1 cases are RAS"


def test_all_axes_are_mirrored(fingerprint, task):
    plan = unet(fingerprint(*LIVER), task(), Budget())

    assert plan.configuration("2d").mirror_axes == (0, 1)
    assert plan.configuration("3d_fullres").mirror_axes == (0, 1, 2)


def test_the_memory_of_a_step_is_in_the_plan(fingerprint, task):
    plan = unet(fingerprint(*LIVER), task(), Budget())

    for chosen in plan.configurations.values():
        assert chosen.memory["activations"] > chosen.memory["data"] > 0
        assert json.loads(json.dumps(dict(chosen.memory))) == chosen.memory


@pytest.mark.parametrize("gb", [1.5, 2, 3.7, 8, 24, 139])
def test_true_bytes_are_never_exceeded(fingerprint, task, gb):
    budget = Budget(memory_gb=gb, rule="bytes")

    plan = unet(fingerprint(*LIVER), task(117), budget)

    for chosen in plan.configurations.values():
        assert sum(chosen.memory.values()) <= gb * 2**30


def test_a_configuration_that_does_not_fit_is_left_out_with_a_reason(fingerprint, task):
    budget = Budget(
        memory_gb=0.8, rule="bytes", overrides={"3d_fullres.batch_size": 9999}
    )

    plan = unet(fingerprint(*LIVER), task(117), budget)

    assert list(plan.configurations) == ["2d"]
    reason = next(d for d in plan.decisions if d.field == "3d_fullres")
    assert reason.value == "left out"
    assert "the smallest patch, 8 x 8 x 8 with a batch of 9999, needs" in reason.because


def test_when_nothing_fits_the_error_says_what_the_smallest_plan_needs(
    fingerprint, task
):
    with pytest.raises(PlanError) as error:
        unet(fingerprint(*LIVER), task(), Budget(memory_gb=0.3, rule="bytes"))

    text = str(error.value)
    assert "Nothing fits 0.3 GB" in text
    assert "2d: the smallest patch, 8 x 8 with a batch of 2, needs 0.5" in text
    assert "3d_fullres: the smallest patch, 8 x 8 x 8" in text
    enough = float(re.search(r"--gpu-memory (\S+) or more", text)[1])
    unet(fingerprint(*LIVER), task(), Budget(memory_gb=enough, rule="bytes"))


@pytest.mark.parametrize(
    "network, hint",
    [
        ("light_unet", "network.features=16,32,64"),
        ("fpn", "network.narrow=2"),
        ("primus", "network.hidden="),
    ],
)
def test_when_nothing_fits_a_smaller_network_is_named_by_its_own_option(
    fingerprint, task, network, hint
):
    budget = Budget(memory_gb=0.3, overrides={"network": network})
    with pytest.raises(PlanError, match=f"or more, or .*--set {hint}"):
        unet(fingerprint((16, 16, 16), (1.0, 1.0, 1.0)), task(), budget)


def test_there_are_no_presets(fingerprint, task):
    with pytest.raises(UsageError, match="--planner residual_unet"):
        unet(fingerprint(*LIVER), task(), Budget(preset="L"))


@pytest.mark.parametrize("gb", [0, -1, float("nan"), float("inf")])
def test_an_impossible_budget_is_refused(gb):
    with pytest.raises(UsageError, match="impossible"):
        Budget(memory_gb=gb)


def test_an_unknown_rule_is_refused():
    with pytest.raises(UsageError, match="nnunet and bytes"):
        Budget(rule="guess")


def test_an_ignored_label_and_regions_are_planned(fingerprint):
    options = {
        "labels": {"background": 0, "whole": [1, 2], "core": 2},
        "regions_class_order": [1, 2],
        "ignore": 3,
    }
    choice = Choice(name="semantic", options=options)

    plan = unet(fingerprint((60, 128, 128), (1, 1, 1)), choice, Budget())

    assert plan.task.options == options


def test_images_that_shrink_to_nothing_keep_one_voxel(fingerprint, task):
    # Resampled, the first axis of most cases has 0.4 voxels.
    found = fingerprint(
        (0, 0, 0),
        (1, 1, 1),
        cases=3,
        shapes=((1, 90, 90),) * 3,
        spacings=((1.0, 1.0, 1.0), (9.0, 1.0, 1.0), (9.0, 1.0, 1.0)),
    )

    plan = unet(found, task(), Budget())

    assert plan.configuration("2d").median_shape == (90.0, 90.0)
