"""Predicted bytes of a step of landmarks against what PyTorch does."""

import numpy as np
import pytest
import torch

from autoseg.cli._measure import measure_step
from autoseg.networks import NETWORKS
from autoseg.tasks.landmark import HEAD, LandmarkTask
from autoseg.train.loop.criterion import Criterion
from planners.base import Budget
from planners.memory.costs import heads_of
from planners.memory.late import MAPS
from planners.memory.model import step_cost
from planners.setting import LossCost, Setting
from planners.unet import unet

from ..test_landmarks import TASK, XRAY
from . import allocated
from .test_model import autocast, options_of

SHAPE = (2, 32, 32)


def make(network, options, loss, landmarks, head_stage):
    options = {**options, "head_stage": head_stage}
    task = LandmarkTask([f"p{n}" for n in range(landmarks)], loss=loss, sigma_voxels=3)
    built = NETWORKS[network](1, {HEAD: landmarks}, False, **options)
    built.late = True
    stride = (2, 2) if head_stage else ()
    criterion = Criterion(task, False, (1.0, 1.0), stride)
    rng = np.random.default_rng(0)
    places = np.append(
        rng.uniform(3, 28, (2, landmarks, 2)), np.ones((2, landmarks, 1)), axis=2
    )
    learned = {HEAD: torch.from_numpy(places.astype(np.float32))}
    return task, built, criterion, learned, options


class Whole(torch.nn.Module):
    """Network and loss as one, for what follows the storages."""

    def __init__(self, network, criterion, learned, precision):
        super().__init__()
        self.network, self.criterion = network, criterion
        self.learned, self.precision = learned, precision

    def forward(self, images):
        with autocast(self.precision):
            outputs = self.network(images)
        return self.criterion(outputs, self.learned)


def autograd_keeps(whole, images):
    own = {p.untyped_storage()._cdata for p in whole.parameters()}
    sizes, alive = {}, []

    def pack(tensor):
        storage = tensor.untyped_storage()
        sizes[storage._cdata] = storage.nbytes()
        alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        whole(images)
    return sum(size for key, size in sizes.items() if key not in own)


@pytest.mark.parametrize("head_stage", [0, 1])
@pytest.mark.parametrize("landmarks", [5, 40])
@pytest.mark.parametrize("network", ["plain_unet", "residual_unet"])
def test_saved_bytes_are_those_of_autograd(network, landmarks, head_stage):
    options = options_of(network, 2, features=8)
    task, built, criterion, learned, options = make(
        network, options, "spatial_cross_entropy", landmarks, head_stage
    )
    images = torch.zeros((2, 1, 32, 32))
    real = autograd_keeps(Whole(built, criterion, learned, "fp32"), images)
    cost = step_cost(
        network,
        options,
        (32, 32),
        in_channels=1,
        heads=heads_of(task),
        setting=Setting(device="cpu", precision="fp32", optimizer="sgd"),
    )
    assert cost.parameters == sum(p.numel() for p in built.parameters())
    # int16 labels are counted for every task: 4 kB that landmarks have not.
    labels = 2 * 2 * 32 * 32
    assert cost.saved(2) - labels == pytest.approx(real, rel=0.03)


def peak_of(whole, images):
    def once():
        whole.zero_grad(set_to_none=True)
        whole(images).backward()

    once()
    whole.zero_grad(set_to_none=True)
    return allocated.peak_of(once)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("loss", sorted(MAPS))
def test_the_peak_of_each_loss_is_what_is_allocated(loss, precision, capfd):
    # A network with few features, so that the loss decides about the peak.
    options = options_of("plain_unet", 2, features=4, stages=2)
    task, built, criterion, learned, options = make("plain_unet", options, loss, 40, 0)
    images = torch.zeros((2, 1, 32, 32))
    real = peak_of(Whole(built, criterion, learned, precision), images)
    setting = Setting(
        device="cpu", precision=precision, optimizer="sgd", augmentation=False
    )
    cost = step_cost(
        "plain_unet",
        options,
        (32, 32),
        in_channels=1,
        heads=heads_of(task),
        setting=setting,
    )
    parts = cost.peak(2)
    mine = sum(parts[k] for k in ("gradients", "activations", "loss", "backward"))
    assert mine + parts["workspace"] == pytest.approx(real, rel=0.12)
    # 40 whole maps of logits, targets and differences would be more than this.
    assert parts["loss"] <= 15.5 * 16 * 2 * 4 * 32 * 32


@pytest.mark.parametrize("landmarks", [133, 1000])
def test_memory_does_not_grow_with_the_number_of_landmarks(landmarks):
    options = options_of("plain_unet", 3, features=32, stages=6)

    def total(count):
        heads = [LossCost(channels=count, loss="spatial_cross_entropy", points=True)]
        cost = step_cost("plain_unet", options, (128,) * 3, in_channels=1, heads=heads)
        return cost.total(1)

    # A hundredth more: the head has 33 weights for each landmark.
    assert total(landmarks) < 1.01 * total(17)


def test_a_step_of_landmarks_can_be_measured():
    small = {
        "patch_size": [32, 32],
        "batch_size": 2,
        "network.features": [4, 4],
        "task.sigma_voxels": 3,
    }
    plan = unet(XRAY, TASK, Budget(overrides=small))
    found = measure_step(plan, "2d", "cpu")
    assert found["seconds_per_step"] > 0
    # At least the image, and 4 feature maps of it and of its half, in float32.
    assert found["predicted_bytes"] > 4 * 2 * 32 * 32 * (1 + 4 + 1)
