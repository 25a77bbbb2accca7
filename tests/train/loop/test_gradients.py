"""Threads that share a batch give the gradients of one that does not."""

import dataclasses

import pytest
import torch
from torch import nn

from autoseg.networks import NETWORKS
from autoseg.tasks import TASKS
from autoseg.train.loop.criterion import Criterion
from autoseg.train.loop.gradients import Gradients, count_parts, mixes
from autoseg.train.setup.hardware import choose_hardware

from ..conftest import tiny_plan

CPU = choose_hardware("cpu", precision="fp32", threads=1)
OPTIONS = tiny_plan().configuration("3d_fullres").network.options


def make(threads, batch=4, batch_dice=False, **task):
    torch.manual_seed(0)
    chosen = TASKS["semantic"](labels={"background": 0, "a": 1, "b": 2}, **task)
    network = NETWORKS["plain_unet"](1, {"classes": 3}, True, **OPTIONS)
    criterion = Criterion(chosen, batch_dice, (1, 1, 1))
    hardware = dataclasses.replace(CPU, threads=threads)
    return Gradients(hardware.place(network, 3), criterion, hardware, batch)


def batch(size=4, ignored=False):
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(size, 1, 8, 8, 8, generator=generator)
    shape = (size, 8, 8, 8)
    labels = torch.randint(0, 3, shape, generator=generator, dtype=torch.int16)
    labels[: size // 2, :4] = 3
    return images, labels if ignored else labels.clamp(max=2)


def gradients_of(gradients, size=4):
    ignored = gradients.criterion.task.ignore_index is not None
    loss = gradients(*batch(size, ignored), CPU.scaler())
    gradients.close()
    return loss, [p.grad for p in gradients.network.parameters()]


@pytest.mark.parametrize("threads", [2, 4])
def test_parts_of_a_batch_add_up_to_the_whole(threads):
    whole, parts = make(1), make(threads)

    first, expected = gradients_of(whole)
    second, found = gradients_of(parts)

    assert (whole.parts, parts.parts) == (1, threads)
    torch.testing.assert_close(second, first)
    for one, other in zip(expected, found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-6)


def test_uneven_parts_weigh_as_much_as_they_have_samples():
    _, expected = gradients_of(make(1, batch=19), 19)
    uneven = make(2, batch=19)

    _, found = gradients_of(uneven, 19)

    assert uneven.parts == 2
    pairs = [(a, b) for a, b in zip(expected, found, strict=True) if a is not None]
    for one, other in pairs:
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-6)


def test_who_comes_first_does_not_matter():
    runs = [gradients_of(make(4))[1] for _ in range(5)]

    for run in runs[1:]:
        for one, other in zip(runs[0], run, strict=True):
            assert one is None or torch.equal(one, other)


def test_gradients_of_the_step_before_are_gone():
    gradients = make(2)
    _, once = gradients_of(gradients)
    once = [None if g is None else g.clone() for g in once]

    _, twice = gradients_of(gradients)

    for one, other in zip(once, twice, strict=True):
        assert one is None or torch.equal(one, other)


@pytest.mark.parametrize("options", [{"batch_dice": True}, {"ignore": 3}])
def test_losses_that_mix_the_samples_see_the_whole_batch(options):
    first, expected = gradients_of(make(1, **options))
    parts = make(2, **options)

    second, found = gradients_of(parts)

    assert parts.parts == 2
    torch.testing.assert_close(second, first)
    pairs = [(a, b) for a, b in zip(expected, found, strict=True) if a is not None]
    for one, other in pairs:
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-6)


def test_layers_that_mix_samples_or_draw_numbers_keep_it_together():
    assert mixes(nn.Sequential(nn.BatchNorm3d(2)))
    assert mixes(nn.Sequential(nn.Dropout(0.1)))
    assert not mixes(nn.Sequential(nn.Dropout(0.0), nn.InstanceNorm3d(2)))


@pytest.mark.parametrize(
    ("size", "threads", "parts"),
    # 12 on 8: 6 parts would leave 2 threads idle, 4 of 2 threads each leave none.
    [(1, 8, 1), (2, 1, 1), (2, 2, 2), (2, 8, 2), (3, 2, 1), (12, 8, 4), (305, 2, 2)],
)
def test_a_batch_is_divided_so_that_no_thread_is_idle(size, threads, parts):
    assert count_parts(size, threads) == parts


def test_threads_left_over_are_shared_out():
    gradients = make(8, batch=4)
    pool = gradients._threads()

    inner = pool.submit(torch.get_num_threads).result()
    gradients.close()

    assert (gradients.parts, inner) == (4, 2)


def test_an_error_in_a_thread_comes_out():
    gradients = make(2)
    images, labels = batch()

    with pytest.raises(Exception, match="multiple of"):
        gradients(images[..., :7], labels[..., :7], CPU.scaler())
    gradients.close()
