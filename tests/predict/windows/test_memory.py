"""Prediction makes do with less memory, or says how much it takes."""

from dataclasses import replace

import pytest
import torch

from autoseg.errors import UsageError
from autoseg.networks import NETWORKS
from autoseg.predict.windows.memory import (
    EXPORT,
    LEAST_EXPORTED,
    TooLittle,
    fit_windows,
    sums_bytes,
    window_bytes,
    windows_at_once,
)
from autoseg.predict.windows.window import Windows
from autoseg.spec.choice import Choice
from tests.predict import toy_model as toy

SHAPE = (100, 64, 64)
WINDOWS = Windows(patch=(32, 32, 32), batch=4)
SLAB = 32 * 64 * 64  # one window thick along the longest axis


def test_sums_are_one_slab_for_each_output():
    assert sums_bytes(WINDOWS, SHAPE, outputs=3, folds=5) == 4 * 3 * SLAB


def test_half_precision_takes_half_the_memory():
    half = replace(WINDOWS, dtype=torch.float16)

    assert sums_bytes(half, SHAPE, 3, 5) == sums_bytes(WINDOWS, SHAPE, 3, 5) / 2


def test_exact_sums_are_kept_for_each_fold_along_the_first_axis():
    exact = replace(WINDOWS, exact=True)

    # float16, 3 outputs of 5 folds and the weights, 32 of 64 rows.
    assert sums_bytes(exact, (64, 64, 100), 3, 5) == 2 * 32 * 64 * 100 * (3 * 5 + 1)


def test_a_window_takes_eight_feature_maps():
    settings = toy.plan(patch=64).configurations["net"]  # 4 features

    assert window_bytes(settings) - 64e6 == 8 * 4 * 4 * 64**3
    assert window_bytes(settings, "bf16") - 64e6 == 8 * 2 * 4 * 64**3


def test_a_network_may_give_the_channels_of_its_first_stage_only():
    settings = toy.plan(patch=64).configurations["net"]
    features = {**settings.network.options, "features": 4}  # as Swin UNETR's
    network = replace(settings.network, options=features)

    same = replace(settings, network=network)
    assert window_bytes(same) == window_bytes(settings)


def test_windows_of_every_network_are_counted():
    settings = toy.plan(patch=64).configurations["net"]
    for name in NETWORKS.names():
        network = Choice(name=name, options=NETWORKS[name].example(3)[0])
        # At least a byte for each voxel, whatever its options are called.
        assert window_bytes(replace(settings, network=network)) > 64e6 + 64**3, name


@pytest.mark.parametrize(
    ("left", "batch", "dtype"),
    [
        (4e6 + 4 * 10e6, 4, torch.float32),
        (4e6 + 10e6, 1, torch.float32),
        (2e6 + 10e6, 1, torch.float16),
    ],
)
def test_less_memory_means_fewer_windows_then_half_precision(left, batch, dtype):
    # Two outputs: 2 * 4 * SLAB is 1.05 MB, and less than 4 MB.
    outputs = 7  # 3.7 MB in float32, 1.8 MB in float16

    found = fit_windows(WINDOWS, SHAPE, outputs, 1, 10e6, EXPORT + left)

    assert (found.batch, found.dtype) == (batch, dtype)


def test_too_little_memory_is_refused_in_numbers():
    # A window of 10 MB, 2^20 voxels that are decided at once, of 12 bytes each, and
    # three outputs in float16.
    need = 10e6 + 12 * 2**20 + 2 * 3 * SLAB

    with pytest.raises(TooLittle, match="0.02 GB beside the image.* and 0.00 GB") as it:
        fit_windows(WINDOWS, SHAPE, 3, 1, 10e6, 1e6)

    assert it.value.missing == need - 1e6
    assert fit_windows(WINDOWS, SHAPE, 3, 1, 10e6, need).exported == LEAST_EXPORTED


def test_sums_go_to_a_file_where_not_even_half_precision_fits():
    # 100 outputs of 32 x 400 x 400 voxels are 1 GB in float16. In a file, 2^20 voxels
    # that are decided, with 12 bytes and 100 outputs in float32, are 432 MB; a window
    # has 10 MB, and 4096 + 4 * 32 bytes of pages for each of 32 * 32 rows.
    shape, outputs = (1000, 400, 400), 100
    filed = 10e6 + 2**20 * (12 + 4 * outputs) + 32 * 32 * (4096 + 4 * 32)
    half = 10e6 + 2**20 * 12 + 2 * outputs * 32 * 400 * 400

    small = fit_windows(WINDOWS, shape, outputs, 1, 10e6, half)
    smaller = fit_windows(WINDOWS, shape, outputs, 1, 10e6, filed)

    assert (small.dtype, small.in_file) == (torch.float16, False)
    assert small.exported == LEAST_EXPORTED
    assert (smaller.dtype, smaller.in_file) == (torch.float32, True)
    for least, slowly in ((filed - 1, True), (half, False)):
        with pytest.raises(TooLittle):
            fit_windows(WINDOWS, shape, outputs, 1, 10e6, least, slowly)


def test_exact_sums_are_never_made_smaller():
    exact = replace(WINDOWS, exact=True, batch=1)

    with pytest.raises(UsageError):
        fit_windows(exact, SHAPE, 100, 5, 10e6, EXPORT + 20e6)


@pytest.mark.parametrize(
    ("patch", "threads", "batch"),
    [
        # 4 features: 4 * 8^3 = 2048 numbers, 4 * 32^3 = 131072 and 4 * 64^3 = 1048576.
        (8, 1, 8), (32, 1, 2), (64, 1, 1), (128, 1, 1),
        # Each thread takes as many, unless 4 * 144^3 is more than 2^23 numbers.
        (8, 4, 32), (32, 2, 4), (64, 2, 2), (64, 64, 8), (144, 4, 1),
    ],
)  # fmt: skip
def test_a_thread_of_a_cpu_takes_a_window_or_several_small_ones(
    patch, threads, batch, monkeypatch
):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    settings = toy.plan(patch=patch).configurations["net"]

    assert windows_at_once(settings, torch.device("cpu"), 1e6) == batch


def test_nnunets_sums_are_given_up_where_they_do_not_fit():
    # 3 outputs of 20 folds: 20 times 3 in float16, against once 3 in float32.
    wanted = replace(WINDOWS, nnunet_sums=True)

    roomy = fit_windows(wanted, SHAPE, 3, 20, 10e6, EXPORT + 100e6)
    tight = fit_windows(wanted, SHAPE, 3, 20, 10e6, EXPORT + 14e6)

    assert roomy.nnunet_sums
    assert not tight.nnunet_sums
