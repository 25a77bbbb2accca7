"""Predicting row by row gives what predicting everything at once gives."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from autoseg.errors import ModelError, UsageError
from autoseg.geometry.mapped import is_mapped
from autoseg.predict.windows import sums
from autoseg.predict.windows.window import Windows, predict_outputs
from autoseg.spec.choice import Choice
from autoseg.spec.head import Head, Mirrored
from tests.each import each


def toy_network(seed, channels=1, outputs=2, dim=3):
    """Return a convolution whose output depends on where in the window a voxel is."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn((outputs, channels, *[3] * dim), generator=generator)
    convolve = {2: torch.nn.functional.conv2d, 3: torch.nn.functional.conv3d}[dim]

    def network(batch):
        edges = torch.zeros_like(batch)
        edges[..., :2] = 1  # not symmetric: mirroring has to matter
        return convolve(batch + edges, weight, padding=1)

    return network


def image(shape, channels=1, seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(channels, *shape)).astype(np.float32)


def collect(blocks, shape):
    """Put blocks together; fail if they overlap or leave a gap."""
    whole, counted = None, np.zeros(shape, int)
    for block in blocks:
        if whole is None:
            whole = np.full((len(block.logits), *shape), np.nan)
        rows = [slice(None)] * len(shape)
        rows[block.axis] = slice(block.start, block.stop)
        whole[(slice(None), *rows)] = block.logits.numpy()
        counted[tuple(rows)] += 1
    assert np.all(counted == 1)
    return whole


def naive(networks, array, patch, step_size, mirror_axes):
    """Full-size float64 accumulation with a Gaussian straight from SciPy."""
    missing = [max(0, p - s) for s, p in zip(array.shape[1:], patch, strict=True)]
    around = [(m // 2, m - m // 2) for m in missing]
    padded = np.pad(array, [(0, 0), *around])
    impulse = np.zeros(patch)
    impulse[tuple(p // 2 for p in patch)] = 1
    weights = gaussian_filter(impulse, [p / 8 for p in patch], mode="constant")
    origins = []
    for size, edge in zip(padded.shape[1:], patch, strict=True):
        count = int(np.ceil((size - edge) / (edge * step_size))) + 1
        spread = np.linspace(0, size - edge, count) if count > 1 else [0]
        origins.append([int(np.round(origin)) for origin in spread])
    mirrors = [
        axes
        for count in range(len(mirror_axes) + 1)
        for axes in itertools.combinations(mirror_axes, count)
    ]
    total, weight = 0, np.zeros(padded.shape[1:])
    for start in itertools.product(*origins):
        place = tuple(slice(s, s + p) for s, p in zip(start, patch, strict=True))
        window = torch.from_numpy(padded[(slice(None), *place)].copy())[None]
        outputs = [
            torch.flip(network(torch.flip(window, a)), a)[0].double().numpy()
            for network in networks
            for a in [[axis + 2 for axis in axes] for axes in mirrors]
        ]
        if isinstance(total, int):
            total = np.zeros((len(outputs[0]), *padded.shape[1:]))
        total[(slice(None), *place)] += np.mean(outputs, axis=0) * weights
        weight[place] += weights
    inside = tuple(
        slice(low, low + size)
        for (low, _), size in zip(around, array.shape[1:], strict=True)
    )
    return (total / weight)[(slice(None), *inside)]


@each(
    "shape, patch, step_size, mirror_axes",
    [
        ((30, 13, 9), (8, 8, 6), 0.5, (0, 1, 2)),  # along the first axis
        ((9, 40, 11), (8, 10, 8), 0.5, (2,)),  # along the second
        ((7, 9, 33), (8, 12, 8), 0.3, ()),  # along the third, the others padded
        ((5, 4, 3), (8, 8, 8), 0.5, (0,)),  # smaller than one window
    ],
)
@each("batch", [1, 5, 64])
def test_slabs_equal_a_full_accumulation(shape, patch, step_size, mirror_axes, batch):
    networks = [toy_network(seed, channels=2) for seed in (1, 2)]
    array = image(shape, channels=2)
    windows = Windows(
        patch=patch, step_size=step_size, mirror_axes=mirror_axes, batch=batch
    )

    found = collect(predict_outputs(networks, array, windows), shape)

    wanted = naive(networks, array, patch, step_size, mirror_axes)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


@pytest.mark.parametrize("batch", [1, 7])
def test_a_2d_network_sees_a_volume_slice_by_slice(batch):
    network = toy_network(3, dim=2)
    array = image((5, 20, 7))
    windows = Windows(patch=(8, 8), mirror_axes=(0, 1), batch=batch)

    found = collect(predict_outputs([network], array, windows), (5, 20, 7))

    for i in range(5):
        wanted = naive([network], array[:, i], (8, 8), 0.5, (0, 1))
        np.testing.assert_allclose(found[:, i], wanted, atol=2e-5)


def test_a_2d_image_is_predicted_by_a_2d_network():
    network = toy_network(3, channels=3, dim=2)
    array = image((21, 17), channels=3)

    blocks = predict_outputs([network], array, Windows(patch=(8, 8)))

    wanted = naive([network], array, (8, 8), 0.5, ())
    np.testing.assert_allclose(collect(blocks, (21, 17)), wanted, atol=2e-5)


@pytest.mark.parametrize("longest", [0, 1, 2])
@pytest.mark.parametrize("exact", [False, True])
def test_memory_does_not_depend_on_the_longest_axis(longest, exact, monkeypatch):
    allocated = []
    zeros = torch.zeros

    def counting_zeros(shape, **options):
        allocated.append(int(np.prod(shape)))
        return zeros(shape, **options)

    shape = [16, 16, 16]
    shape[longest] = 200
    array = image(shape)
    windows = Windows(patch=(16, 16, 16), exact=exact)
    monkeypatch.setattr(torch, "zeros", counting_zeros)

    for _ in predict_outputs([toy_network(0)], array, windows):
        pass

    # Two outputs (and if exact the weights) of one window: 16 rows of 16 x 16 ...
    window = 16**3
    if exact and longest > 0:
        window = 16 * 16 * 200  # ... but exact sums follow the first axis
    assert sum(allocated) == window * (3 if exact else 2)


@pytest.mark.parametrize(
    "shape", [(11, 17, 23), (30, 9, 8), (9, 26, 10), (16, 16, 8)], ids=str
)
def test_sums_in_a_file_are_those_in_memory(shape, monkeypatch):
    monkeypatch.setattr("autoseg.predict.windows.sums.LOOKED_AT", 100)
    let_go, forgotten = sums.let_go, []
    monkeypatch.setattr(
        sums, "let_go", lambda array: forgotten.append(array) or let_go(array)
    )
    networks, array = [toy_network(1), toy_network(2)], image(shape)
    windows = Windows(patch=(8, 8, 8), step_size=0.4, batch=3)

    known = collect(predict_outputs(networks, array, windows), shape)
    assert not forgotten
    filed = replace(windows, in_file=True)
    found = collect(predict_outputs(networks, array, filed), shape)

    np.testing.assert_array_equal(found, known)
    assert is_mapped(forgotten[0])


def test_float16_sums_need_half_the_memory_and_are_close():
    network, array = toy_network(1), image((40, 9, 9))
    windows = Windows(patch=(8, 8, 8), dtype=torch.float16)

    found = collect(predict_outputs([network], array, windows), (40, 9, 9))

    wanted = naive([network], array, (8, 8, 8), 0.5, ())
    np.testing.assert_allclose(found, wanted, atol=0.03)


def test_exact_sums_are_rounded_like_those_of_nnunet():
    networks = [toy_network(1), toy_network(2)]
    array = image((19, 12, 20))
    windows = Windows(patch=(8, 8, 8), mirror_axes=(0, 2), exact=True, batch=9)

    found = collect(predict_outputs(networks, array, windows), (19, 12, 20))

    wanted = exactly_as_nnunet(networks, array[0], 8, [[], [2], [4], [2, 4]])
    assert np.array_equal(found, wanted.double().numpy())


@pytest.mark.parametrize("batch", [1, 9, 64])
def test_sums_can_be_nnunets_while_windows_are_predicted_together(batch):
    networks = [toy_network(1), toy_network(2)]
    array = image((19, 12, 20))
    windows = Windows(
        patch=(8, 8, 8), mirror_axes=(0, 2), nnunet_sums=True, batch=batch
    )

    found = collect(predict_outputs(networks, array, windows), (19, 12, 20))

    # Convolutions of several windows may differ in their last bit, and a rounding with
    # them: one unit of float16 at values up to 32.
    wanted = exactly_as_nnunet(networks, array[0], 8, [[], [2], [4], [2, 4]])
    different = found != wanted.double().numpy()
    np.testing.assert_allclose(found, wanted.double().numpy(), atol=2**-5)
    assert different.mean() < 0.01


def exactly_as_nnunet(networks, volume, edge, mirrors):
    """Follow the description of nnU-Net's arithmetic with whole-volume sums."""
    impulse = np.zeros((edge,) * 3)
    impulse[(edge // 2,) * 3] = 1
    gaussian = gaussian_filter(impulse, edge / 8, mode="constant")
    gaussian = torch.from_numpy(gaussian / (gaussian.max() / 10)).half()
    gaussian[gaussian == 0] = gaussian[gaussian != 0].min()
    origins = []
    for size in volume.shape:
        count = int(np.ceil((size - edge) / (edge / 2))) + 1
        origins.append([int(np.round(x)) for x in np.linspace(0, size - edge, count)])
    result = None
    for network in networks:
        total = torch.zeros((2, *volume.shape), dtype=torch.half)
        weight = torch.zeros(volume.shape, dtype=torch.half)
        for start in itertools.product(*origins):
            place = tuple(slice(s, s + edge) for s in start)
            window = torch.from_numpy(volume[place].copy())[None, None]
            output = network(window)
            for axes in mirrors[1:]:
                output += torch.flip(network(torch.flip(window, axes)), axes)
            output /= len(mirrors)
            total[(slice(None), *place)] += output[0] * gaussian
            weight[place] += gaussian
        total /= weight
        result = total if result is None else result + total
    return result / len(networks)


def test_progress_counts_every_window():
    counts = []
    windows = Windows(patch=(8, 8, 8), batch=3)

    for _ in predict_outputs(
        [toy_network(0)], image((16, 8, 8)), windows, counts.append
    ):
        pass

    assert sum(counts) == 3  # 8 voxels to go, 4 at a time


def test_an_output_that_is_not_finite_is_reported():
    array = image((8, 8, 8))
    array[0, 3, 3, 3] = np.nan

    with pytest.raises(ModelError, match="not finite"):
        list(predict_outputs([toy_network(0)], array, Windows(patch=(8, 8, 8))))


def test_without_a_network_there_is_nothing_to_do():
    with pytest.raises(UsageError, match="no network"):
        next(predict_outputs([], image((8, 8, 8)), Windows(patch=(8, 8, 8))))


def test_a_window_must_fit_the_dimensions():
    with pytest.raises(UsageError, match="as many axes"):
        next(predict_outputs([toy_network(0)], image((8, 8)), Windows(patch=(8, 8, 8))))


def test_vectors_of_mirrored_copies_are_turned_before_they_are_averaged():
    # A difference along an axis changes its sign in a mirror: this network says the
    # same of each copy, so the mean over copies is what it says of the image itself.
    def slopes(batch):
        rows = batch[:, 0].roll(1, 1) - batch[:, 0].roll(-1, 1)
        columns = batch[:, 0].roll(1, 2) - batch[:, 0].roll(-1, 2)
        return torch.stack([batch[:, 0], rows, columns], dim=1)

    plain = Choice(name="distance")
    mirrors = (Mirrored((0, 1), (-1.0, 1.0)), Mirrored((0, 1), (1.0, -1.0)))
    heads = (
        Head(name="light", channels=1, activation="identity", loss=plain),
        Head(
            name="slope",
            channels=2,
            activation="identity",
            loss=plain,
            mirrors=mirrors,
        ),
    )
    array = image((8, 8))
    for axes in ((), (0,), (1,), (0, 1)):
        windows = Windows(patch=(8, 8), mirror_axes=axes, heads=heads, batch=4)
        found = collect(predict_outputs([slopes], array, windows), (8, 8))
        said = slopes(torch.from_numpy(array)[None])[0].numpy()
        np.testing.assert_allclose(found, said, atol=1e-6)


def test_axes_are_left_out_along_which_outputs_cannot_be_mirrored():
    head = Head(
        name="bonds",
        channels=1,
        activation="sigmoid",
        loss=Choice(name="affinity"),
        mirrors=(None, Mirrored((0,), (1.0,))),
    )

    windows = Windows(patch=(8, 8), mirror_axes=(0, 1), heads=(head,))

    assert windows.mirrors == [(), (1,)]


@each("allowed, wanted", [((0, 2), [(), (0, 2)]), ((1,), [(), (1,)]), ((), [()])])
def test_the_opposite_is_the_copy_that_is_mirrored_along_all_axes(allowed, wanted):
    network, array = toy_network(1, channels=1), image((8, 8, 8), channels=1)
    windows = Windows(patch=(8, 8, 8), mirror_axes=allowed, opposite=True)

    found = collect(predict_outputs([network], array, windows), (8, 8, 8))

    assert windows.mirrors == wanted
    seen = torch.from_numpy(array)[None]
    copies = [
        torch.flip(network(torch.flip(seen, axes)), axes)[0].numpy()
        for axes in ([axis + 2 for axis in axes] for axes in wanted)
    ]
    np.testing.assert_allclose(found, np.mean(copies, axis=0), atol=1e-5)


def test_windows_of_instances_see_a_small_image_mirrored_at_its_border():
    array = image((5, 7), seed=3)
    around = np.pad(array, [(0, 0), (1, 2), (3, 3)], mode="symmetric")
    windows = Windows(patch=(8, 13), reflected=True)

    found = collect(predict_outputs([toy_network(1, dim=2)], array, windows), (5, 7))

    expected = toy_network(1, dim=2)(torch.from_numpy(around)[None])[0]
    np.testing.assert_allclose(found, expected[:, 1:6, 3:10], atol=1e-5)
