"""Predicted bytes, parameters and operations against what PyTorch does."""

import contextlib
import itertools
import math
from unittest import mock

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

from autoseg.losses import LOSSES
from autoseg.networks import NETWORKS
from autoseg.networks._trial import Operations, unmarked
from autoseg.tasks import TASKS
from planners.memory.costs import heads_of
from planners.memory.model import inference_bytes, step_cost
from planners.memory.walk import PARTS
from planners.setting import Setting
from tests.each import each

from .allocated import peak_of

CUBE = {2: (48, 32), 3: (16, 16, 16)}
FLAT = {2: (32, 48), 3: (8, 32, 16)}


def options_of(network, dim, *, features=8, stages=3, flat=False, **more):
    """Options of a small network, coarse along the first axis if it is flat."""
    kernels = [[3] * dim for _ in range(stages)]
    strides = [[1] * dim] + [[2] * dim for _ in range(stages - 1)]
    if flat:
        kernels[0] = [1] + [3] * (dim - 1)
        strides[1] = [1] + [2] * (dim - 1)
    options = {
        "dim": dim,
        "features": [min(features * 2**s, 8 * features) for s in range(stages)],
        "kernels": kernels,
        "strides": strides,
        **more,
    }
    if network == "plain_unet":
        depth = {"convs_encoder": [2] * stages, "convs_decoder": [2] * (stages - 1)}
    else:
        depth = {
            "blocks": [1, 3, 4, 6, 6, 6, 6][:stages],
            "convs_decoder": [1] * (stages - 1),
        }
    return {**options, **depth}


def semantic(classes, *, regions=False, ignore=False):
    """A task with so many label values."""
    labels = {f"class{n}": n for n in range(1, classes)}
    options = {"labels": {"background": 0, **labels}}
    if regions:
        whole = {"whole": list(range(1, classes))}
        options["labels"] = {"background": 0, **whole, **labels}
        options["regions_class_order"] = [1, *range(1, classes)]
    if ignore:
        options["ignore"] = classes
    return TASKS["semantic"](**options)


def _zero(tensor, *args, **options):
    return tensor.detach().zero_()


# Weights start as 0 here: no size is another for it, and to draw them takes longer.
UNDRAWN = mock.patch.multiple(
    nn.init,
    kaiming_normal_=_zero,
    kaiming_uniform_=_zero,
    normal_=_zero,
    trunc_normal_=_zero,
    uniform_=_zero,
)


def build(network, options, task, channels, *, deep=True, device="cpu"):
    heads = {head.name: head.channels for head in task.heads}
    # Where it would be made anyway, to say so costs a third of the time.
    where = contextlib.nullcontext() if device == "cpu" else torch.device(device)
    with UNDRAWN, where:
        return NETWORKS[network](channels, heads, deep, **options)


@unmarked
class Unmultiplied(TorchDispatchMode):
    """What takes products gives zeros, of the size and kind that it would have.

    Everything else is computed. In bf16, products take a hundred times as long where it
    is not built in.
    """

    CONVOLUTION = torch.ops.aten.convolution
    MATRICES = frozenset(
        getattr(torch.ops.aten, name) for name in ("addmm", "baddbmm", "bmm", "mm")
    )

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function.overloadpacket in self.MATRICES:
            *_, a, b = args
            return a.new_zeros((*a.shape[:-1], b.shape[-1]))
        if function.overloadpacket is self.CONVOLUTION:
            sizes = tree_map_only(torch.Tensor, lambda tensor: tensor.to("meta"), args)
            return torch.zeros_like(function(*sizes, **kwargs), device="cpu")
        return function(*args, **kwargs)


def loss_of(task, outputs, labels):
    """All heads and all levels but the coarsest, as training weights them."""
    total = 0.0
    for head in task.heads:
        loss = LOSSES[head.loss.name](batch_dice=True, **head.loss.options)
        levels = outputs[head.name]
        levels = levels if isinstance(levels, list) else [levels]
        coarser = levels[-1].shape != levels[0].shape
        for logits in levels[: len(levels) - coarser]:
            steps = [
                slice(None, None, n // m)
                for n, m in zip(labels.shape[1:], logits.shape[2:], strict=True)
            ]
            total = total + loss(logits, labels[(slice(None), *steps)])
    return total


def autocast(precision):
    if precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast("cpu", dtype=torch.bfloat16)


def batch_of(shape, channels, device="cpu"):
    images = torch.zeros((shape[0], channels, *shape[1:]), device=device)
    return images, torch.zeros(shape, dtype=torch.int16, device=device)


def saved_bytes(network, task, images, labels, precision, products=None):
    """Bytes of all storages that autograd keeps, but for the parameters.

    Products are computed unless bf16 would take them, or as ``products`` says.
    """
    computed = precision == "fp32" if products is None else products
    own = {p.untyped_storage()._cdata for p in network.parameters()}
    sizes, alive = {}, []

    def pack(tensor):
        storage = tensor.untyped_storage()
        sizes[storage._cdata] = storage.nbytes()
        # Or its address would be given away again. Not the tensor, which holds what
        # made it, and that would hold the tensor, for ever.
        alive.append(storage)
        return storage

    with contextlib.ExitStack() as stack:
        hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda storage: storage)
        stack.enter_context(hooks)
        if not computed:
            stack.enter_context(Unmultiplied())
        with autocast(precision):
            outputs = network(images)
        loss_of(task, outputs, labels)
    return sum(size for key, size in sizes.items() if key not in own)


def predict(network, options, patch, channels, task, **setting):
    return step_cost(
        network,
        options,
        patch,
        in_channels=channels,
        heads=heads_of(task),
        setting=Setting(device="cpu", **setting),
    )


# Both networks, 2-D and 3-D, isotropic and not, 2 to 118 classes, batches of 2 to 32.
PLANS = [
    (network, dim, flat, classes, batch, precision)
    for (network, dim, flat), (classes, batch, precision) in itertools.product(
        itertools.product(("plain_unet", "residual_unet"), (2, 3), (False, True)),
        ((2, 2, "fp32"), (118, 2, "fp32"), (5, 8, "bf16"), (30, 32, "bf16")),
    )
]


@each("network, dim, flat, classes, batch, precision", PLANS)
def test_saved_bytes_are_those_of_autograd(
    network, dim, flat, classes, batch, precision
):
    patch = (FLAT if flat else CUBE)[dim]
    options = options_of(network, dim, flat=flat, features=4)
    task = semantic(classes)
    images, labels = batch_of((batch, *patch), 2)

    saved = saved_bytes(
        build(network, options, task, 2), task, images, labels, precision
    )

    predicted = predict(network, options, patch, 2, task, precision=precision)
    assert predicted.saved(batch) == pytest.approx(saved, rel=0.01)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("network", ["plain_unet", "residual_unet"])
def test_as_much_is_saved_where_products_are_not_computed(network, precision):
    options, task = options_of(network, 2), semantic(3)
    images, labels = batch_of((2, *CUBE[2]), 1)
    made = build(network, options, task, 1)
    given = made, task, images, labels, precision

    assert saved_bytes(*given, products=False) == saved_bytes(*given, products=True)


@each(
    "special",
    [
        {"regions": True},
        {"ignore": True},
        {"deep": False},
        {"norm": "batch"},
        {"bias": False},
        {"stages": 5},
    ],
    ids=lambda special: next(iter(special)),
)
@each("network", ["plain_unet", "residual_unet"])
@each("precision", ["fp32", "bf16"])
def test_saved_bytes_of_special_networks_and_tasks(network, special, precision):
    of_task = {k: v for k, v in special.items() if k in ("regions", "ignore")}
    deep = special.get("deep", True)
    of_net = {k: v for k, v in special.items() if k in ("norm", "bias", "stages")}
    task, patch = semantic(4, **of_task), (32, 32)
    options = options_of(network, 2, **of_net)
    images, labels = batch_of((3, *patch), 1)
    made = build(network, options, task, 1, deep=deep)

    saved = saved_bytes(made, task, images, labels, precision)

    predicted = predict(
        network, options, patch, 1, task, precision=precision, deep_supervision=deep
    )
    assert predicted.saved(3) == pytest.approx(saved, rel=0.02)


FULL = [
    ("plain_unet", (128, 128, 128), 2, 3),
    ("plain_unet", (32, 256, 256), 2, 118),
    ("plain_unet", (512, 512), 12, 2),
    ("residual_unet", (160, 160, 128), 2, 25),
    ("residual_unet", (640, 512), 28, 4),
]


@pytest.mark.parametrize("network, patch, batch, classes", FULL)
def test_saved_bytes_of_networks_of_full_size(network, patch, batch, classes):
    # The meta device computes shapes only, so that a step of many GB can be followed.
    dim = len(patch)
    options = options_of(network, dim, features=32, stages=5 if dim == 3 else 7)
    task = semantic(classes)
    images, labels = batch_of((batch, *patch), 1, "meta")
    made = build(network, options, task, 1, device="meta")

    saved = saved_bytes(made, task, images, labels, "fp32")

    predicted = predict(network, options, patch, 1, task, precision="fp32")
    assert predicted.saved(batch) == pytest.approx(saved, rel=0.001)
    assert predicted.parameters == sum(p.numel() for p in made.parameters())


@pytest.mark.parametrize("network", ["plain_unet", "residual_unet"])
@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("deep", [True, False])
def test_operations_are_those_that_pytorch_counts(network, dim, deep):
    options = options_of(network, dim, flat=True)
    task, patch = semantic(3), FLAT[dim]
    made = build(network, options, task, 2, deep=deep, device="meta")
    images, _ = batch_of((2, *patch), 2, "meta")

    with Operations() as counter:
        outputs = made(images)["classes"]
        levels = outputs if deep else [outputs]
        sum(level.sum() for level in levels).backward()

    predicted = predict(network, options, patch, 2, task, deep_supervision=deep)
    assert predicted.operations(2) == counter.found
    assert predicted.parameters == sum(p.numel() for p in made.parameters())


def test_the_peak_is_what_its_parts_add_up_to():
    cost = predict("plain_unet", options_of("plain_unet", 3), CUBE[3], 1, semantic(3))

    parts = cost.peak(4)

    assert tuple(parts) == PARTS
    assert sum(parts.values()) == pytest.approx(cost.total(4))
    assert cost.total(4) >= cost.saved(4)


def test_weights_optimizer_and_gradients_are_counted():
    # A tiny image in a large network: the peak is where all gradients are there.
    options = options_of("plain_unet", 2, features=32)
    task = semantic(2)
    sgd = predict("plain_unet", options, (8, 8), 1, task, optimizer="sgd")
    adam = predict("plain_unet", options, (8, 8), 1, task, optimizer="adamw")

    weights = 4 * sgd.parameters

    assert sgd.peak(1)["weights"] >= weights
    assert sgd.peak(1)["optimizer"] == weights
    assert adam.peak(1)["optimizer"] == 2 * weights
    assert 0.8 * weights < adam.peak(1)["gradients"] <= weights


def test_deep_supervision_and_precision_change_the_peak():
    options, task = options_of("plain_unet", 3, stages=4), semantic(20)
    base = predict("plain_unet", options, CUBE[3], 1, task, precision="fp32")
    shallow = predict(
        "plain_unet",
        options,
        CUBE[3],
        1,
        task,
        precision="fp32",
        deep_supervision=False,
    )
    half = predict("plain_unet", options, CUBE[3], 1, task, precision="fp16")

    assert shallow.total(2) < base.total(2)
    assert half.total(2) < base.total(2)
    assert half.saved_per_sample < 0.6 * base.saved_per_sample


def test_another_loss_counts_its_target():
    # A target and a difference in float32 beside the logits, of 3 channels.
    task = semantic(3)
    heads = heads_of(task)
    dense = [type(heads[0])(channels=3, loss="mean_squared")]
    options = options_of("plain_unet", 2, stages=2)
    setting = Setting(device="cpu", precision="fp32")

    ours, other = (
        step_cost(
            "plain_unet", options, (16, 16), in_channels=1, heads=h, setting=setting
        )
        for h in (heads, dense)
    )

    # logits + target + difference, instead of probabilities
    more = other.saved_per_sample - ours.saved_per_sample
    assert more == 2 * 4 * 3 * math.prod((16, 16))


def window_peak(network, images):
    """Follow allocations on the CPU while a network predicts."""
    with torch.inference_mode():
        return peak_of(lambda: network(images))


@pytest.mark.parametrize("network", ["plain_unet", "residual_unet"])
def test_a_window_takes_what_the_allocator_hands_out(network, capfd):
    options, task = options_of(network, 2, features=32), semantic(3)
    made = build(network, options, task, 1, deep=False).eval()
    images, _ = batch_of((2, 64, 64), 1)

    peak = window_peak(made, images)

    per_window, fixed = inference_bytes(
        network,
        options,
        (64, 64),
        in_channels=1,
        out_channels=3,
        setting=Setting(device="cpu", precision="fp32"),
    )
    before = images.nbytes
    assert fixed == 4 * sum(p.numel() for p in made.parameters())
    assert 2 * per_window - before == pytest.approx(peak, rel=0.15)
