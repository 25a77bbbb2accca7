"""The residual encoder in its presets."""

import pytest

from autoseg.errors import UsageError
from planners import PLANNERS
from planners.base import Budget

residual_unet = PLANNERS["residual_unet"]
LIVER = ((200, 500, 500), (1.5, 0.8, 0.8))


@pytest.mark.parametrize("preset, gb", [("M", 8), ("L", 24), ("XL", 40)])
def test_a_preset_has_a_name_and_a_budget(fingerprint, task, preset, gb):
    plan = residual_unet(fingerprint(*LIVER), task(), Budget(preset=preset))

    assert plan.name == f"residual_unet_{preset.lower()}"
    assert plan.planner == "residual_unet"
    assert plan.budget.options["memory_gb"] == gb
    assert plan.budget.options["preset"] == preset


def test_without_a_preset_it_is_the_smallest(fingerprint, task):
    plan = residual_unet(fingerprint(*LIVER), task(), Budget())

    assert plan.name == "residual_unet_m"


def test_larger_presets_see_more(fingerprint, task):
    def voxels(preset):
        plan = residual_unet(fingerprint(*LIVER), task(), Budget(preset=preset))
        sizes = plan.configuration("3d_fullres").patch_size
        return sizes[0] * sizes[1] * sizes[2]

    assert voxels("M") < voxels("L") < voxels("XL")


def test_blocks_grow_with_depth(fingerprint, task):
    plan = residual_unet(fingerprint(*LIVER), task(), Budget(preset="l"))

    network = plan.configuration("3d_fullres").network
    stages = len(network.options["features"])
    assert network.name == "residual_unet"
    assert network.options["blocks"] == [1, 3, 4, 6, 6, 6, 6][:stages]
    assert network.options["convs_decoder"] == [1] * (stages - 1)


def test_an_unknown_preset_is_refused_with_those_there_are(fingerprint, task):
    with pytest.raises(UsageError, match="M, L, XL"):
        residual_unet(fingerprint(*LIVER), task(), Budget(preset="S"))
