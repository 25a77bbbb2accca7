"""The grid of landmarks: as fine as memory allows for a patch that holds them all."""

import pytest

from autoseg.spec.choice import Choice
from autoseg.spec.fingerprint import Fingerprint, Intensity
from planners._base import Budget
from planners.unet import unet

TASK = Choice(name="landmark", options={"landmarks": ["a", "b"]})
INTENSITY = Intensity(
    mean=1, median=1, std=1, min=0, max=2, percentile_00_5=0, percentile_99_5=2
)


def fingerprint(shape, spacing, box):
    return Fingerprint(
        dataset="Dataset015_Toy",
        unit="mm",
        channel_names=("xray",),
        num_cases=100,
        shapes=(shape,) * 3,
        spacings=(spacing,) * 3,
        intensities=(INTENSITY,),
        annotation={"extent": {"median": list(box), "p95": list(box)}},
        task=TASK,
    )


# 1935 x 2400 pixels of 0.1 mm, as the lateral X-rays of the ISBI 2015 challenge.
XRAY = fingerprint((2400, 1935), (0.1, 0.1), (121.3, 107.4))


def bytes_of(gb):
    return Budget(memory_gb=gb, rule="bytes")


def test_eight_gigabytes_see_all_points_of_an_x_ray_at_a_fifth_of_a_millimeter():
    made = unet(XRAY, TASK, bytes_of(8)).configurations["2d"]
    assert max(made.spacing) <= 0.2
    assert sum(made.memory.values()) <= 8 * 2**30
    for patch, edge, box in zip(
        made.patch_size, made.spacing, (121.3, 107.4), strict=True
    ):
        assert patch * edge >= box


@pytest.mark.parametrize("gb", [1, 2, 4])
def test_with_less_memory_the_grid_is_coarser_and_the_patch_still_holds_them(gb):
    made = unet(XRAY, TASK, bytes_of(gb)).configurations["2d"]
    more = unet(XRAY, TASK, bytes_of(2 * gb)).configurations["2d"]
    assert made.spacing > more.spacing or made.spacing[0] == 0.1
    for patch, edge, box in zip(
        made.patch_size, made.spacing, (121.3, 107.4), strict=True
    ):
        assert patch * edge >= box


def test_the_plan_says_why_and_what_the_user_sets_counts():
    plan = unet(XRAY, TASK, bytes_of(2))
    (spacing,) = [d for d in plan.decisions if d.field == "landmarks.spacing"]
    assert "121.3 x 107.4 mm" in spacing.because
    fixed = Budget(memory_gb=2, rule="bytes", overrides={"spacing": [0.1, 0.1]})
    assert unet(XRAY, TASK, fixed).configurations["2d"].spacing == (0.1, 0.1)


def test_volumes_are_not_seen_slice_by_slice_and_mirrored_along_given_axes_only():
    volume = fingerprint((40, 200, 180), (3.0, 1.0, 1.0), (60.0, 80.0, 90.0))
    options = {**TASK.options, "mirror_axes": [2]}
    plan = unet(volume, Choice(name="landmark", options=options), Budget())
    assert "2d" not in plan.configurations
    assert plan.configurations["3d_fullres"].mirror_axes == (2,)
    assert plan.training.options["deep_supervision"] is False


def test_without_a_gpu_landmarks_are_planned_for_a_cpu():
    cpu = unet(XRAY, TASK, Budget(processor="cpu"))
    given = unet(XRAY, TASK, Budget(processor="cpu", memory_gb=8))
    gpu = unet(XRAY, TASK, Budget())

    assert cpu.configurations == unet(XRAY, TASK, Budget(memory_gb=0.5)).configurations
    assert given.configurations == gpu.configurations
    reasons = {d.field: d.because for d in cpu.decisions}
    assert "no GPU was found" in reasons["landmarks.memory"]
    assert "landmarks.memory" not in {d.field for d in given.decisions}


def test_other_tasks_are_planned_as_for_a_gpu_everywhere():
    task = Choice(name="semantic", options={"labels": {"background": 0, "a": 1}})
    masks = Fingerprint(
        dataset="Toy",
        unit="mm",
        channel_names=("MR",),
        num_cases=10,
        shapes=((40, 60, 50),) * 3,
        spacings=((1.0, 1.0, 1.0),) * 3,
        intensities=(INTENSITY,),
        annotation={},
        task=task,
    )

    assert unet(masks, task, Budget(processor="cpu")) == unet(masks, task, Budget())
