"""Networks of a model's folds, on a device."""

import subprocess
import sys

import pytest
import torch

from autoseg.errors import ModelError, UsageError
from autoseg.predict import options as chosen
from autoseg.predict.backends.base import build
from autoseg.predict.backends.torch import TorchNetwork
from autoseg.predict.options import Options, resolve
from autoseg.tasks import TASKS
from tests.predict import toy_model as toy

CPU = torch.device("cpu")


def batch(count=1, channels=1):
    generator = torch.Generator().manual_seed(0)
    return torch.randn((count, channels, 8, 8, 8), generator=generator)


def test_the_faster_convolutions_compute_the_same():
    model = toy.model(toy.plan())

    exact = TorchNetwork(build(model, 0), CPU, exact=True)(batch())
    fast = TorchNetwork(build(model, 0), CPU)(batch())

    torch.testing.assert_close(fast, exact, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("exact", [True, False])
def test_bf16_comes_back_as_float32_and_is_close(exact):
    model = toy.model(toy.plan())

    wanted = TorchNetwork(build(model, 0), CPU)(batch(2))
    found = TorchNetwork(build(model, 0), CPU, "bf16", exact)(batch(2))

    assert found.dtype == torch.float32
    # bf16 keeps 8 bits, and rounds after each of five layers.
    torch.testing.assert_close(found, wanted, atol=0.1, rtol=0.05)
    assert not torch.equal(found, wanted)


def test_windows_of_a_batch_do_not_depend_on_each_other():
    network = TorchNetwork(build(toy.model(toy.plan()), 0), CPU)
    windows = batch(3)

    together = network(windows)

    for window, output in zip(windows, together, strict=True):
        torch.testing.assert_close(network(window[None])[0], output)


def test_threads_take_windows_of_a_batch_each_and_computing_goes_on_as_before():
    network = TorchNetwork(build(toy.model(toy.plan()), 0), CPU)
    windows, before = batch(5), torch.get_num_threads()
    taken = []
    network.module.register_forward_pre_hook(
        lambda _, inputs: taken.append((len(inputs[0]), torch.get_num_threads()))
    )
    try:
        torch.set_num_threads(2)
        together = network(windows)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

    assert sorted(taken) == [(2, 1), (3, 1)]
    alone = TorchNetwork(build(toy.model(toy.plan()), 0), CPU)
    for window, output in zip(windows, together, strict=True):
        torch.testing.assert_close(alone(window[None])[0], output)


def test_building_does_not_copy_weights():
    model = toy.model(toy.plan())

    network = build(model, 0)

    own = {parameter.data_ptr() for parameter in network.parameters()}
    assert own <= {tensor.data_ptr() for tensor in model.weights[0].values()}


def test_weights_of_another_network_are_refused():
    model = toy.model(toy.plan())
    del model.weights[0]["decoder.seg_layers.0.weight"]

    with pytest.raises(ModelError, match="toy, fold 0: .*decoder.seg_layers.0.weight"):
        build(model, 0)


def test_neither_building_a_network_nor_training_it_imports_the_compiler():
    # torch._dynamo takes a second to import, as long as torch itself.
    code = (
        "import sys, torch\n"
        "from autoseg.networks import NETWORKS\n"
        "from autoseg.train.loop.optimizer import make_optimizer\n"
        "from autoseg.train.setup.recipes import RECIPES\n"
        "options = dict(dim=3, features=[4, 8], kernels=[[3] * 3] * 2,\n"
        "    strides=[[1] * 3, [2] * 3], convs_encoder=[1, 1], convs_decoder=[1])\n"
        "with torch.device('meta'):\n"
        "    NETWORKS['plain_unet'](1, {'classes': 2}, **options)\n"
        "network = NETWORKS['plain_unet'](1, {'classes': 2}, **options)\n"
        "seen = {recipe.optimizer: recipe for recipe in RECIPES.values()}\n"
        "for recipe in seen.values():\n"
        "    optimizer = make_optimizer(recipe, network)\n"
        "    optimizer.zero_grad()\n"
        "    network(torch.ones(1, 1, 4, 4, 4))['classes'].sum().backward()\n"
        "    optimizer.step()\n"
        "    optimizer.load_state_dict(optimizer.state_dict())\n"
        "print(*sorted(seen), 'torch._dynamo' in sys.modules)\n"
    )

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert out.stdout.strip() == "adamw muon sgd False", out.stderr


@pytest.mark.parametrize(
    ("sturdy", "native", "asked", "expected"),
    [
        (True, True, {}, (False, "bf16")),
        (True, False, {}, (False, "fp32")),
        (False, True, {}, (True, "fp32")),
        (True, True, {"exact": True}, (False, "fp32")),
        (True, True, {"mirror": True, "precision": "fp32"}, (True, "fp32")),
        (False, True, {"mirror": False}, (False, "fp32")),
        (True, True, {"backend": "openvino"}, (False, "fp32")),
    ],
)
def test_mirrors_and_half_precision_are_as_the_task_likes_them(
    monkeypatch, sturdy, native, asked, expected
):
    monkeypatch.setattr(chosen, "cpu_computes_bf16", lambda: native)
    task = TASKS["instance" if sturdy else "semantic"](
        labels={"background": 0, "cell": 1}
    )

    found = resolve(Options(**asked), task, 2, torch.device("cpu"))

    assert (found.mirror, found.precision) == expected
    assert found.step_size == (0.75 if sturdy else 0.5)
    assert resolve(Options(step_size=0.3), task, 2, CPU).step_size == 0.3


@pytest.mark.parametrize(
    ("name", "asked", "expected"),
    [
        ("instance", None, "opposite"),
        ("instance", False, False),
        ("instance", True, True),
        ("semantic", None, True),
        ("semantic", "opposite", "opposite"),
    ],
)
def test_instances_in_volumes_are_averaged_with_their_opposite(name, asked, expected):
    task = TASKS[name](labels={"background": 0, "cell": 1})

    assert resolve(Options(mirror=asked), task, 3, CPU).mirror == expected


def test_a_word_that_is_no_mirror_is_refused():
    with pytest.raises(
        UsageError, match="mirror is 'both'; give yes, no or 'opposite'"
    ):
        Options(mirror="both")
