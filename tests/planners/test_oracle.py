"""Plans equal those that nnU-Net v2 makes from the same fingerprints."""

import json
import os
from pathlib import Path

import pytest

from autoseg.interop.nnunet_fingerprint import fingerprint_from_nnunet
from planners import PLANNERS
from planners.base import Budget
from tests.each import assert_each

PLANNER = {
    "default": ("unet", None),
    "default_4": ("unet", None),
    "default_24": ("unet", None),
    "resenc_m": ("residual_unet", "M"),
    "resenc_l": ("residual_unet", "L"),
    "resenc_xl": ("residual_unet", "XL"),
}
NORMALIZERS = {
    "ZScoreNormalization": "zscore",
    "CTNormalization": "ct",
    "NoNormalization": "none",
    "RescaleTo01Normalization": "rescale_to_0_1",
    "RGBTo01Normalization": "rgb_to_0_1",
}


def _records():
    data = os.environ.get("AUTOSEG_TEST_DATA")
    path = Path(data or "none").parent / "oracle" / "nnunet_v2_plans.json"
    if not data or not path.is_file():
        return []
    return json.loads(path.read_text(encoding="utf-8"))


def expected(oracle):
    """What nnU-Net decided, in the words of our plan."""
    configurations = {}
    for name, entry in oracle["configurations"].items():
        if "inherits_from" in entry:
            same = configurations[entry["inherits_from"]]
            configurations[name] = {**same, "previous": entry["previous_stage"]}
            continue
        configurations[name] = {
            "previous": None,
            "spacing": entry["spacing"],
            "patch_size": entry["patch_size"],
            "batch_size": entry["batch_size"],
            "median_shape": entry["median_image_size_in_voxels"],
            "normalizers": [NORMALIZERS[n] for n in entry["normalization_schemes"]],
            "masked": entry["use_mask_for_norm"],
            "batch_dice": entry["batch_dice"],
            "stages": entry["n_stages"],
            "features": entry["features_per_stage"],
            "kernels": entry["kernel_sizes"],
            "strides": entry["strides"],
            "depth": entry.get("n_conv_per_stage") or entry["n_blocks_per_stage"],
            "convs_decoder": entry["n_conv_per_stage_decoder"],
        }
    return oracle["transpose_forward"], configurations


def decided(plan):
    """What we decided, in the same form; 2-D data get nnU-Net's leading axis."""
    transpose = list(plan.transpose)
    if plan.dim == 2:
        transpose = [0, *(axis + 1 for axis in transpose)]
    configurations = {}
    for name, entry in plan.configurations.items():
        options = entry.network.options
        configurations[name] = {
            "previous": entry.previous,
            "spacing": list(entry.spacing),
            "patch_size": list(entry.patch_size),
            "batch_size": entry.batch_size,
            "median_shape": list(entry.median_shape),
            "normalizers": [channel.normalizer.name for channel in plan.channels],
            "masked": [channel.masked for channel in plan.channels],
            "batch_dice": entry.batch_dice,
            "stages": len(options["strides"]),
            "features": options["features"],
            "kernels": options["kernels"],
            "strides": options["strides"],
            "depth": options.get("convs_encoder") or options["blocks"],
            "convs_decoder": options["convs_decoder"],
        }
    return transpose, configurations


@pytest.mark.parametrize("planner", PLANNER)
def test_a_plan_equals_that_of_nnunet(planner):
    records = _records()
    if not records:
        pytest.skip("the oracle is not here: it lies beside AUTOSEG_TEST_DATA")

    assert {name for record in records for name in record["plans"]} == set(PLANNER)
    assert_each(
        _compare,
        [
            (number, record, planner)
            for number, record in enumerate(records)
            if planner in record["plans"]
        ],
        say=lambda number, record, planner: f"record {number}",
    )


def _compare(number, record, planner):
    oracle = record["plans"][planner]
    fingerprint, task = fingerprint_from_nnunet(
        record["dataset"], record["fingerprint"]
    )
    name, preset = PLANNER[planner]
    budget = Budget(memory_gb=oracle["gpu_memory_gb"], preset=preset)

    plan = PLANNERS[name](fingerprint, task, budget)

    assert decided(plan) == expected(oracle)
