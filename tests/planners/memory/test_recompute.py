"""Feature maps that are made again: what is counted is what the allocator hands out."""

import contextlib

import pytest

from autoseg.networks import NETWORKS
from planners.grids.topology import find_topology
from planners.memory.model import step_cost
from planners.memory.walk import PARTS
from planners.setting import LossCost, Setting

from .allocated import followed, peak_of
from .test_model import (
    Unmultiplied,
    autocast,
    batch_of,
    build,
    loss_of,
    predict,
    semantic,
)
from .test_networks import LOOSE, SMALL

# Large enough that feature maps, and not kernels, take most of the memory.
PATCH = {2: (64, 64), 3: (16, 32, 32)}


def options_of(name, dim):
    """Options as planned for a patch, with narrower layers."""
    topology = find_topology((1.0,) * dim, PATCH[dim])
    options = NETWORKS[name].plan(topology, SMALL.get(name, {}))
    if name in SMALL:
        return options
    return {**options, "features": [width // 2 for width in options["features"]]}


def kept_by(made, task, images, labels, precision):
    """Bytes that are there once the loss is known, and were not before."""
    multiplied = contextlib.nullcontext() if precision == "fp32" else Unmultiplied()

    def work():
        with multiplied, autocast(precision):
            outputs = made(images)
        return loss_of(task, outputs, labels)

    sizes, loss = followed(work)
    assert loss.requires_grad  # it holds what the backward pass needs
    return sum(sizes)


# One network of each kind of chain: blocks, sums, gates, nests, indices, tokens.
CASES = [
    *((name, dim) for name in ("plain_unet", "residual_unet") for dim in (2, 3)),
    *((name, 2) for name in ("attention_unet", "unetpp", "mednext", "segnet", "unetr")),
]


@pytest.mark.parametrize("name, dim", CASES)
def test_a_step_that_makes_maps_again_takes_what_is_counted(name, dim, capfd):
    options, task = options_of(name, dim), semantic(3)
    images, labels = batch_of((2, *PATCH[dim]), 1)
    made = build(name, options, task, 1)
    made.recompute = True

    def step():
        loss_of(task, made(images), labels).backward()
        made.zero_grad(set_to_none=True)

    kept = kept_by(made, task, images, labels, "fp32")
    peak = peak_of(step)

    counted = {"precision": "fp32", "augmentation": False, "recompute": "on"}
    cost = predict(name, options, PATCH[dim], 1, task, **counted)
    # Images and labels were there before; of the peak, weights and optimizer too.
    assert cost.saved(2) - images.nbytes - labels.nbytes == pytest.approx(
        kept, rel=0.03
    )
    before = [PARTS.index(part) for part in ("weights", "optimizer", "data")]
    moments = cost.per_sample * 2 + cost.fixed
    predicted = (moments.sum(axis=1) - moments[:, before].sum(axis=1)).max()
    assert predicted == pytest.approx(peak, rel=LOOSE.get(name, 0.12))


@pytest.mark.parametrize("name", ["plain_unet", "residual_unet", "mednext", "unetr"])
def test_kept_in_half_precision_is_what_is_counted(name, capfd):
    options, task = options_of(name, 2), semantic(3)
    images, labels = batch_of((2, *PATCH[2]), 1)
    made = build(name, options, task, 1)
    made.recompute = True

    kept = kept_by(made, task, images, labels, "bf16")

    counted = {"precision": "bf16", "recompute": "on"}
    cost = predict(name, options, PATCH[2], 1, task, **counted)
    assert cost.saved(2) - labels.nbytes == pytest.approx(kept, rel=0.03)


DEFAULTS = [
    ("plain_unet", (512, 512), 12),
    ("plain_unet", (128, 128, 128), 2),
    ("residual_unet", (512, 512), 12),
    ("residual_unet", (128, 128, 128), 2),
    ("residual_unet", (32, 256, 256), 2),
]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name, patch, batch", DEFAULTS)
def test_default_plans_keep_half(name, patch, batch, precision):
    topology = find_topology((1.0,) * len(patch), patch)
    options = NETWORKS[name].plan(topology, {})

    kept, before = (
        step_cost(
            name,
            options,
            patch,
            in_channels=1,
            heads=[LossCost(channels=3)],
            setting=Setting(precision=precision, recompute=recompute),
        ).saved(batch)
        for recompute in ("on", "off")
    )

    # Of each block the convolution's output alone: 1 of 2; losses and weights besides.
    assert 0.5 < kept / before < 0.55
