"""Queries."""

import numpy as np
import pytest
import torch

from autoseg.networks import NETWORKS
from autoseg.networks._looks import MOST_TOKENS, apart, pooled
from autoseg.networks._queries import QueryReader
from autoseg.networks._reading import ReadNetwork, with_readers
from autoseg.representations.queries import Queries
from autoseg.spec.arrays.overlaps import Mask

FLAT = (1.0, 1.0)


def crossing():
    layers = np.zeros((2, 24, 24), np.int32)
    layers[0, 2:22, 10:13] = 4
    layers[1, 10:13, 2:22] = 9
    return layers


def test_objects_that_cross_come_back_whole():
    made = Queries(2, queries=5)
    layers = crossing()

    found = made.find(made.encode(layers, FLAT), FLAT)

    wholes = {(mask.start, mask.inside.shape, mask.size) for mask, _ in found}
    assert wholes == {((2, 10), (20, 3), 60), ((10, 2), (3, 20), 60)}


def test_there_are_no_more_objects_than_queries():
    made = Queries(2, queries=1)

    assert len(made.find(made.encode(crossing(), FLAT), FLAT)) == 1


def test_the_less_sure_of_two_that_are_nearly_the_same_is_dropped():
    made = Queries(2, queries=3)
    outputs = np.zeros((3, 16, 16), np.float32)
    outputs[0, 2:10, 2:10] = 0.8
    outputs[1, 2:10, 2:11] = 0.9
    outputs[2, 2:10, 8:16] = 0.7  # shares a quarter with the first

    found = made.find({"queries": outputs}, FLAT)

    assert [round(score, 2) for _, score in found] == [0.9, 0.7]
    assert found[0][0].inside.shape == (8, 9)


def test_targets_say_in_every_layer_what_nobody_annotated():
    layers = crossing()
    layers[:, :2] = -2

    found = Queries(2, layers=3).targets(layers, FLAT)["queries"]

    assert found.shape == (3, 24, 24)
    assert (found[:, :2] == -2).all() and not found[2, 2:].any()


def test_any_network_is_read_in_two_and_three_dimensions():
    for dim, shape in ((2, (16, 16)), (3, (8, 8, 8))):
        head = Queries(dim, queries=7, features=4).heads
        options = dict(NETWORKS["residual_unet"].example(dim)[0])
        body = NETWORKS["residual_unet"](1, {"queries": head[0].drawn}, True, **options)
        network = with_readers(body, head, dim, True)
        shape = NETWORKS["residual_unet"].example(dim)[1]

        levels = network(torch.randn(2, 1, *shape))["queries"]

        assert isinstance(network, ReadNetwork)
        assert levels[0].shape == (2, 7, *shape)
        assert len(levels) == 2
        assert levels[1].dim() == 1 + 2 * dim  # a map for each of some voxels
        network.deep_supervision = False
        assert network.eval()(torch.randn(1, 1, *shape))["queries"].shape[1] == 7


def test_a_mask_is_a_ball_about_its_voxel_before_anything_is_learnt():
    torch.manual_seed(0)
    reader = QueryReader(4, 2, queries=9, blocks=0, scale=5.0)
    with torch.no_grad():
        reader.answers.where.weight.zero_()

    _, looks = reader([torch.zeros(1, 4, 32, 32), torch.zeros(1, 4, 16, 16)])

    rows, columns = torch.meshgrid(torch.arange(16), torch.arange(16), indexing="ij")
    # Voxels of this resolution are 2 wide, and 5 of the finest are a distance of 1.
    away = ((rows - 3) ** 2 + (columns - 12) ** 2) * (2 / 5) ** 2
    torch.testing.assert_close(looks[0, 3, 12], -away.float(), atol=1e-4, rtol=1e-4)


def test_of_voxels_with_one_mask_only_the_surest_is_taken():
    looks = torch.full((1, 5, 5), -1.0)
    looks[0, 0, 0] = looks[0, 0, 1] = looks[0, 1, 0] = 3.0  # both tell of 0 and 1
    looks[0, 0, 1] = 4.0
    looks[0, 3, 3] = 2.0

    # Then 3, which no mask hides; then others, those in masks last.
    assert apart(looks, 2).tolist() == [[0, 3]]
    assert apart(looks, 5)[0, -1] == 1


def test_where_what_is_left_lies_in_surer_masks_there_is_no_object():
    torch.manual_seed(0)
    reader = QueryReader(4, 2, queries=9, blocks=0, scale=8.0, fine=True)
    with torch.no_grad():
        for layer in (reader.answers.embed, reader.answers.where):
            layer.weight.zero_()
        reader.answers.where.bias[-1] = 9.0  # balls of a radius of 3 * 8 voxels
    levels = [torch.zeros(1, 4, 32, 32), torch.zeros(1, 4, 16, 16)]

    maps, told = reader(levels)

    # Any ball about a voxel of 32 x 32 hides all but some far away: few are left.
    there = [bool((one > 0).any()) for one in maps[0]]
    assert 1 <= sum(there) < 9 and there == sorted(there, reverse=True)
    assert told.shape == (1, 4 + 3 + 2 + 1 + 1, 2 * 16**2 + 32**2)
    first = maps[0, 0].flatten()
    at = int(told[0, -1, int(told[0, -1, : 16**2].argmin())])
    assert at == 1 * 32 + 1 and float(first.max().detach()) == pytest.approx(9, abs=0.1)


def test_what_voxels_tell_teaches_every_resolution():
    torch.manual_seed(0)
    reader = QueryReader(4, 2, queries=3, fine=True)
    levels = [torch.randn(1, 4, n, n, requires_grad=True) for n in (16, 8, 4)]

    _, told = reader(levels)

    own = slice(8**2, 2 * 8**2)
    for part in (slice(0, 8**2), own, slice(2 * 8**2, None)):
        loss = told[:, :4, part].square().sum()
        taught = torch.autograd.grad(loss, levels, retain_graph=True)
        coarse = part.start == 0
        assert [bool(one.any()) for one in taught] == [not coarse, coarse, coarse]


def test_rounds_change_nothing_before_they_have_learnt():
    torch.manual_seed(0)
    one = QueryReader(4, 2, queries=3, blocks=0)
    other = QueryReader(4, 2, queries=3, blocks=2)
    other.load_state_dict({**other.state_dict(), **one.state_dict()})
    levels = [torch.randn(1, 4, 16, 16), torch.randn(1, 4, 8, 8)]

    with torch.no_grad():
        torch.testing.assert_close(one(levels)[0], other(levels)[0])


def test_what_queries_look_at_is_limited_and_keeps_its_mean():
    level = torch.arange(64.0 * 96).reshape(1, 1, 64, 96)

    found = pooled(level)

    assert found[0, 0].numel() <= MOST_TOKENS
    assert float(found.mean()) == float(level.mean())


def test_a_mask_is_cut_to_its_largest_piece():
    made = Queries(2, queries=1)
    output = np.zeros((1, 12, 12), np.float32)
    output[0, 1:5, 1:5] = output[0, 9:11, 9:11] = 1.0

    ((mask, _),) = made.find({"queries": output}, FLAT)

    assert isinstance(mask, Mask) and mask.start == (1, 1) and mask.size == 16
