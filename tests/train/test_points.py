"""Landmarks in training: what is learnt of them, in little memory."""

import dataclasses

import numpy as np
import pytest
import torch

from autoseg.augmentations.pipeline import Pipeline
from autoseg.errors import PlanError
from autoseg.networks import NETWORKS
from autoseg.networks.base import LateLogits
from autoseg.networks.build import build_network
from autoseg.preprocess.store import CaseStore
from autoseg.spec.points import ABSENT, PRESENT, Points
from autoseg.tasks.landmark import HEAD, LandmarkTask
from autoseg.train.data.loader import Loader
from autoseg.train.data.sample import PointTarget
from autoseg.train.data.sampler import Sampler
from autoseg.train.loop.criterion import AT_ONCE, Criterion, on_outputs
from autoseg.train.loop.gradients import Gradients
from autoseg.train.setup.hardware import choose_hardware

from .conftest import tiny_plan

NAMES = ("left", "right", "tip", "gone")
CPU = choose_hardware("cpu", precision="fp32", threads=1)


def store(folder):
    """Return a store of one case, whose image is brightest at the points."""
    points = Points(
        NAMES,
        np.array([[6.0, 4.0], [6.0, 15.0], [14.0, 9.0], [np.nan, np.nan]]),
        np.array([PRESENT, PRESENT, PRESENT, ABSENT]),
        shape=(20, 20),
    )
    image = np.zeros((1, 20, 20), np.float32)
    for i, (y, x) in enumerate(points.coordinates[:3].astype(int)):
        image[0, y, x] = 100 * (i + 1)
    task = LandmarkTask(NAMES, mirror_pairs=[["left", "right"]])
    cases = CaseStore(folder)
    cases.write("a", image, points, task.foreground(points), {})
    return cases, task


def batches(cases, task, policy, patch=(16, 16), mirror=(1,), count=12):
    pipeline = Pipeline(policy, patch, mirror, channels=1)
    sampler = Sampler(
        ["a"],
        cases.open,
        classes=task.classes,
        patch_size=patch,
        batch_size=2,
        foreground=1.0,
        seed=3,
        augment=pipeline.draw,
    )
    swapped = task.swapped
    loader = Loader(
        sampler,
        pipeline,
        torch.device("cpu"),
        threads=0,
        points=PointTarget(HEAD, swapped),
    )
    return list(loader.batches(0, count))


def test_points_are_stored_and_read_as_they_are(tmp_path):
    cases, _ = store(tmp_path)
    points = cases.open("a").points
    assert points.names == NAMES and points.shape == (20, 20)
    assert points.status.tolist() == [PRESENT, PRESENT, PRESENT, ABSENT]
    np.testing.assert_array_equal(points.coordinates[1], [6, 15])
    assert not list(tmp_path.glob("*_annotation*"))


def test_points_are_where_the_image_shows_them_and_swap_sides_in_a_mirror(tmp_path):
    mirrored = 0
    for batch in batches(*store(tmp_path), "none,+mirror"):
        for image, target in zip(batch.images, batch.targets[HEAD], strict=True):
            assert target[:, 2].tolist() == [1, 1, 1, 0]
            seen = {}
            for i, (y, x, status) in enumerate(target.round().int().tolist()):
                if status == PRESENT and 0 <= y < 16 and 0 <= x < 16:
                    seen[NAMES[i]] = float(image[0, y, x])
            if "left" in seen:  # by its place in the image, and not as it was drawn
                mirrored += seen["left"] == 200
            assert set(seen.values()) <= {100, 200, 300} and seen.get("tip", 300) == 300
            if {"left", "right"} <= seen.keys():
                assert target[0, 1] < target[1, 1]
    assert mirrored


def test_turned_and_scaled_points_stay_on_what_they_mark(tmp_path):
    policy = "none,+spatial,spatial.probability=1,spatial.scale=[0.6,0.9]"
    checked = 0
    for batch in batches(*store(tmp_path), policy, mirror=()):
        for image, target in zip(batch.images, batch.targets[HEAD], strict=True):
            for i, (y, x, status) in enumerate(target.tolist()):
                if status != PRESENT or not (1 < y < 14 and 1 < x < 14):
                    continue
                near = image[0, int(y) : int(y) + 2, int(x) : int(x) + 2]
                assert near.max() > 30 * (i + 1)
                checked += 1
    assert checked > 10


@pytest.mark.parametrize("landmarks", [3, AT_ONCE + 5])
def test_late_logits_give_the_loss_and_gradients_of_early_ones(landmarks):
    task = LandmarkTask([f"p{i}" for i in range(landmarks)])
    options, shape = NETWORKS["plain_unet"].example(2)
    images = torch.randn((4, 1, *shape))
    places = torch.rand((4, landmarks, 2)) * torch.tensor(shape)
    status = torch.randint(0, 3, (4, landmarks, 1)).float()
    target = {HEAD: torch.cat((places, status), dim=2)}
    found = []
    for late, threads in ((False, 1), (True, 1), (True, 2)):
        torch.manual_seed(0)
        network = NETWORKS["plain_unet"](1, {HEAD: landmarks}, False, **options)
        network.late = late
        network.start_head(HEAD, -2.0)
        assert isinstance(network(images)[HEAD], LateLogits) == late
        criterion = Criterion(task, False, (1.0, 1.0))
        hardware = dataclasses.replace(CPU, threads=threads)
        gradients = Gradients(network, criterion, hardware, 4)
        loss = gradients(images, target, CPU.scaler())
        gradients.close()
        found.append((loss, [p.grad for p in network.parameters()]))
    for loss, grads in found[1:]:
        torch.testing.assert_close(loss, found[0][0])
        for ours, expected in zip(grads, found[0][1], strict=True):
            if expected is not None and ours is not None:
                torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-6)
            else:
                assert not any(g is not None and g.any() for g in (ours, expected))


@pytest.mark.parametrize("network", ["plain_unet", "residual_unet"])
@pytest.mark.parametrize("late", [True, False])
def test_heads_may_be_at_half_the_resolution(network, late):
    options, shape = NETWORKS[network].example(2)
    options = {**options, "head_stage": 1}
    built = NETWORKS[network](1, {HEAD: 3}, False, **options)
    whole = NETWORKS[network](1, {HEAD: 3}, False, **{**options, "head_stage": 0})
    built.late = late
    outputs = built(torch.zeros((2, 1, *shape)))[HEAD]
    made = outputs.part(0, 3) if late else outputs
    step = options["strides"][1]
    assert made.shape == (2, 3, *(n // s for n, s in zip(shape, step, strict=True)))
    # The level of the decoder that it does not need is left out.
    assert len(built.decoder.stages) == len(whole.decoder.stages) - 1


def test_a_target_of_coarser_outputs_is_where_it_is_in_millimeters():
    # Outputs of 2 x 1 voxels: the first begins at -0.5 and ends at 1.5, its middle 0.5.
    target = torch.tensor([[[0.5, 3.0, 1.0], [-0.5, 7.0, 2.0]]])
    moved = on_outputs(target, (2, 1))
    assert moved.tolist() == [[[0.0, 3.0, 1.0], [-0.5, 7.0, 2.0]]]
    assert on_outputs(target, (1, 1)) is target


def test_the_target_is_as_wide_in_millimeters_on_coarser_outputs():
    task = LandmarkTask(["a"], sigma_voxels=4.0)
    (head,) = task.at_spacing((1.0, 0.5), (1, 2)).heads
    # 4 voxels of 0.5 mm are 2 mm: 2 outputs of 1 mm along both axes.
    assert head.loss.options["sigma"] == [2.0, 2.0]


def test_only_points_can_be_read_off_coarser_outputs():
    plan = tiny_plan()
    chosen = plan.configurations["3d_fullres"]
    options = {**chosen.network.options, "head_stage": 1}
    coarse = dataclasses.replace(
        chosen, network=dataclasses.replace(chosen.network, options=options)
    )
    plan = dataclasses.replace(plan, configurations={"3d_fullres": coarse})
    with pytest.raises(PlanError, match="head_stage must be 0"):
        build_network(plan, "3d_fullres")
