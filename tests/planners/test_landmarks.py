"""The grid of landmarks: as fine as memory allows for a patch that holds them all."""

import pytest

from autoseg.errors import UsageError
from autoseg.spec.choice import Choice
from autoseg.spec.fingerprint import Fingerprint, Intensity
from planners.base import Budget
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
    assert plan.training.options["overhang"] is False


def test_without_a_gpu_landmarks_are_planned_for_a_cpu_that_sees_whole_images():
    cpu = unet(XRAY, TASK, Budget(processor="cpu"))
    given = unet(XRAY, TASK, Budget(processor="cpu", memory_gb=8))
    gpu = unet(XRAY, TASK, Budget())

    made = cpu.configurations["2d"]
    for patch, edge, image in zip(
        made.patch_size, made.spacing, (240, 193.5), strict=True
    ):
        assert patch * edge >= image - edge
    small = unet(XRAY, TASK, Budget(memory_gb=0.5)).configurations["2d"]
    assert small.spacing < made.spacing  # holds the landmarks only, and is finer
    assert given.configurations == gpu.configurations
    reasons = {d.field: d.because for d in cpu.decisions}
    assert "no GPU was found" in reasons["landmarks.memory"]
    assert not {"landmarks.memory", "landmarks.whole"} & {
        d.field for d in given.decisions
    }


@pytest.mark.parametrize("network", ["light_unet", "fpn"])
def test_networks_of_every_kind_are_planned_for_points_where_there_is_no_gpu(network):
    budget = Budget(processor="cpu", overrides={"network": network})
    plan = unet(XRAY, TASK, budget)

    made = plan.configurations["2d"]
    assert made.network.name == network
    assert min(made.patch_size) >= 64  # the smallest would be 8
    fields = {d.field for d in plan.decisions}
    # Only some can be read off before their last stage, and only those say why.
    assert ("2d.network.head_stage" in fields) == (network == "light_unet")


def test_what_is_set_of_coarser_outputs_is_refused_where_a_network_has_none():
    options = {"network": "fpn", "network.head_stage": 1}
    with pytest.raises(UsageError, match="head_stage"):
        unet(XRAY, TASK, Budget(memory_gb=8, overrides=options))


def test_a_cpu_does_not_see_whole_images_where_landmarks_are_in_a_small_part():
    part = fingerprint((2400, 1935), (0.1, 0.1), (60.0, 60.0))
    cpu = unet(part, TASK, Budget(processor="cpu"))

    assert cpu.configurations == unet(part, TASK, Budget(memory_gb=0.5)).configurations


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


def test_a_plain_plan_for_eight_gigabytes_sees_an_x_ray_at_a_fifth_of_a_millimeter():
    made = unet(XRAY, TASK, Budget(memory_gb=8)).configurations["2d"]
    assert max(made.spacing) <= 0.2
    assert sum(made.memory.values()) <= 8 * 2**30


def test_where_the_grid_is_coarse_a_fine_stage_looks_again():
    # The cloud of 300 mm needs 128 voxels of 2.6 mm; images have 0.8 mm.
    volume = fingerprint((600, 512, 512), (0.8, 0.8, 0.8), (300.0, 250.0, 300.0))
    plan = unet(volume, TASK, Budget(memory_gb=8))
    coarse, fine = plan.configurations["3d_fullres"], plan.configurations["3d_fine"]
    assert coarse.spacing[0] > 1.6 and coarse.previous is None
    assert fine.spacing == (0.8, 0.8, 0.8) and fine.previous == "3d_fullres"
    assert 64 <= min(fine.patch_size) <= max(fine.patch_size) <= 96
    (decision,) = [d for d in plan.decisions if d.field == "3d_fine"]
    assert (
        decision.value.startswith("planned") and "0.8 x 0.8 x 0.8" in decision.because
    )


@pytest.mark.parametrize("gb", [0.8, 1, 2])
def test_a_quarter_of_a_fine_patch_is_three_coarse_voxels(gb):
    plan = unet(XRAY, TASK, bytes_of(gb))
    coarse, fine = plan.configurations["2d"], plan.configurations["2d_fine"]
    assert sum(fine.memory.values()) <= gb * 2**30
    for patch, edge, wide in zip(
        fine.patch_size, fine.spacing, coarse.spacing, strict=True
    ):
        assert patch <= 256
        assert patch * edge / 4 >= 3 * wide * 0.999
        assert edge < wide / 2


def test_no_fine_stage_where_the_grid_is_fine_enough_or_the_user_sets_it():
    assert list(unet(XRAY, TASK, Budget(memory_gb=8)).configurations) == ["2d"]
    fixed = Budget(overrides={"spacing": [1.25, 1.25]})
    assert list(unet(XRAY, TASK, fixed).configurations) == ["2d"]
    asked = {"spacing": [1.25, 1.25], "2d_fine.spacing": [0.25, 0.25]}
    plan = unet(XRAY, TASK, Budget(overrides=asked))
    fine = plan.configurations["2d_fine"]
    assert fine.spacing == (0.25, 0.25) and fine.previous == "2d"
    assert fine.batch_size <= 32


@pytest.mark.parametrize(("width", "stage"), [(2.9, 0), (3.0, 1)])
def test_wide_targets_are_learnt_at_half_the_resolution(width, stage):
    options = {"task.sigma_voxels": width}
    made = unet(XRAY, TASK, Budget(memory_gb=8, overrides=options)).configurations
    assert made["2d"].network.options.get("head_stage", 0) == stage
    assert made["2d"].head_stride == ((2, 2) if stage else (1, 1))


def test_the_resolution_of_outputs_can_be_set_for_landmarks_only():
    options = {"network.head_stage": 0, "task.sigma_voxels": 4}
    made = unet(XRAY, TASK, Budget(memory_gb=8, overrides=options)).configurations
    assert made["2d"].head_stride == (1, 1)
    task = Choice(name="semantic", options={"labels": {"background": 0, "a": 1}})
    with pytest.raises(UsageError, match="only landmarks"):
        unet(XRAY, task, Budget(overrides={"network.head_stage": 1}))
    with pytest.raises(UsageError, match="give 0, 1 or 2"):
        unet(XRAY, TASK, Budget(overrides={"network.head_stage": 5}))


def test_only_landmarks_have_a_fine_stage():
    task = Choice(name="semantic", options={"labels": {"background": 0, "a": 1}})
    with pytest.raises(UsageError, match="are stages of landmarks"):
        unet(XRAY, task, Budget(overrides={"2d_fine.spacing": [0.2, 0.2]}))


def cost_of_outputs(stage, **overrides):
    fixed = {"task.sigma_voxels": 4, "patch_size": [512, 512], "batch_size": 2}
    overrides = {**fixed, "network.head_stage": stage, **overrides}
    budget = Budget(memory_gb=8, rule="bytes", overrides=overrides)
    return unet(XRAY, TASK, budget).configurations["2d"].memory


def test_coarser_outputs_leave_memory_for_a_larger_patch():
    fine, coarse = (
        cost_of_outputs(stage, **{"train.recompute": "off"})["activations"]
        for stage in (0, 1)
    )

    # The finest level of the decoder keeps as much as all below it.
    assert coarse < 0.7 * fine


def test_coarser_outputs_leave_memory_where_maps_are_made_again():
    fine, coarse = (cost_of_outputs(stage) for stage in (0, 1))

    # A level keeps what was enlarged and what each of two convolutions gave. The worst
    # moment is when the finest one's first convolution has its gradient, and only what
    # was enlarged is left of the three. A level's maps take half of those above.
    one = 2 * 2 * 32 * 512**2  # bytes: samples, 16 bit, channels, voxels
    norms = 2 * 4 * 2 * 3 * 64  # samples, bytes, norms of the second level, numbers
    kept = (one + 3 * one / 2) - one / 2 + norms
    assert fine["activations"] - coarse["activations"] == kept
    for part in ("backward", "workspace"):  # of that one convolution
        assert coarse[part] == fine[part] / 2
