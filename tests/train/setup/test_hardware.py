"""What is chosen to compute with, and what happens where it cannot."""

import threading

import pytest
import torch
from torch import nn

from autoseg.errors import UsageError
from autoseg.train.setup import hardware as module
from autoseg.train.setup.hardware import choose_hardware, find_device, try_compile


def test_a_cpu_that_computes_in_bf16_does_and_another_does_not(monkeypatch):
    monkeypatch.setattr(module, "cpu_computes_bf16", lambda: True)
    fast = choose_hardware("cpu")
    monkeypatch.setattr(module, "cpu_computes_bf16", lambda: False)
    plain = choose_hardware("cpu")

    assert (fast.precision, plain.precision) == ("bf16", "fp32")
    assert fast.channels_last and plain.channels_last
    assert not fast.compile and not fast.scaler().is_enabled()


def test_threads_follow_the_cores(monkeypatch):
    monkeypatch.setattr(module, "usable_cores", lambda: 8)

    found = choose_hardware("cpu")
    asked = choose_hardware("cpu", threads=3, loader_threads=0)

    assert (found.threads, found.loader_threads) == (8, 4)
    assert (asked.threads, asked.loader_threads) == (3, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"device": "tpu9"}, "tpu9"),
        ({"device": "cuda:77"}, "cuda:77.*--device cpu"),
        ({"device": "cpu", "precision": "fp16"}, "fp16 needs a GPU"),
        ({"device": "cpu", "precision": "int8"}, "int8"),
    ],
)
def test_what_cannot_be_had_is_refused(arguments, words):
    with pytest.raises(UsageError, match=words):
        choose_hardware(**arguments)


def test_without_a_gpu_auto_is_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert find_device("auto").type == "cpu"


def test_images_and_network_are_laid_out_alike():
    found = choose_hardware("cpu", precision="fp32")
    network = found.place(nn.Conv3d(2, 4, 3), 3)
    images = found.arrange(torch.zeros(2, 2, 4, 4, 4))

    assert network.weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert images.is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize(("precision", "last"), [("fp32", False), ("bf16", True)])
def test_planes_lie_as_their_precision_computes_them_fastest(precision, last):
    found = choose_hardware("cpu", precision=precision)
    network = found.place(nn.Conv2d(2, 4, 3), 2)
    images = found.arrange(torch.zeros(2, 2, 4, 4))

    for tensor in (network.weight, images):
        assert tensor.is_contiguous(memory_format=torch.channels_last) == last
        assert tensor.is_contiguous() != last


def test_bf16_is_for_layers_and_not_for_weights():
    found = choose_hardware("cpu", precision="bf16")
    network = found.place(nn.Conv2d(2, 4, 3), 2)

    with found.autocast():
        output = network(torch.zeros(1, 2, 8, 8))

    assert output.dtype == torch.bfloat16
    assert network.weight.dtype == torch.float32


def test_the_number_of_threads_is_put_back():
    before = torch.get_num_threads()
    found = choose_hardware("cpu", threads=before + 1)

    with found.thread_limit():
        inside = torch.get_num_threads()

    assert (inside, torch.get_num_threads()) == (before + 1, before)
    assert "autoseg-calm" in {thread.name for thread in threading.enumerate()}


def test_where_compiling_fails_training_goes_on_without_it(monkeypatch, caplog):
    def fails(network):
        raise RuntimeError("no C++ compiler\nmany more lines")

    monkeypatch.setattr(torch, "compile", fails)
    network = nn.Linear(2, 2)

    found, reason = try_compile(network, lambda n: n(torch.zeros(1, 2)))

    assert found is network
    assert reason == "RuntimeError: no C++ compiler"
    assert "goes on without it" in caplog.text


def test_a_compiled_network_is_tried_before_it_is_trusted(monkeypatch):
    class Broken(nn.Module):
        def forward(self, x):
            raise ValueError("only when it is run")

    monkeypatch.setattr(torch, "compile", lambda network: Broken())
    network = nn.Linear(2, 2)

    found, reason = try_compile(network, lambda n: n(torch.zeros(1, 2)))

    assert found is network and "only when it is run" in reason


def test_where_compiling_works_the_compiled_network_is_taken(monkeypatch):
    compiled = nn.Linear(2, 2)
    monkeypatch.setattr(torch, "compile", lambda network: compiled)

    found, reason = try_compile(nn.Linear(2, 2), lambda n: n(torch.zeros(1, 2)))

    assert found is compiled and reason is None


def test_what_is_compiled_keeps_no_more_than_what_is_not(monkeypatch):
    from torch._functorch import config

    seen = []
    monkeypatch.setattr(torch, "compile", lambda network: network)
    network = nn.Linear(2, 2)
    switch = "ban_recompute_materialized_backward"
    before = getattr(config, switch)

    for recompute in (False, True):
        network.recompute = recompute
        try_compile(network, lambda n: seen.append(getattr(config, switch)))

    assert seen == [before, False]
    assert getattr(config, switch) == before
