"""Metric learning of instances."""

import math

import pytest
import torch

from autoseg.losses.embedding import Embedding


def test_three_voxels_that_stay_where_they_are_have_the_loss_of_arithmetic():
    # One instance of three voxels in a row of three, which is the whole box. Offsets of
    # 0: the middle one is a member, the outer two are as far as m = exp(-p), 0.5 here.
    # Dice is 2 (1 + 2 m) / (1 + 2 m + 3) = 4 / 5.
    target = torch.ones((1, 1, 3), dtype=torch.int16)
    logits = torch.zeros((1, 4, 1, 3))
    logits[:, 2] = math.log(math.log(2))
    logits[:, 3] = torch.tensor([0.5, 1.0, 0.5])  # seeds are right

    loss = Embedding(edges=(1.0, 1.0))(logits, target)

    assert loss.item() == pytest.approx(1 - 4 / 5, abs=1e-6)


def test_spread_precision_and_wrong_seeds_cost_what_their_weights_say():
    target = torch.ones((1, 1, 2), dtype=torch.int16)
    logits = torch.zeros((1, 4, 1, 2))
    logits[0, 1, 0] = torch.tensor([0.0, -1.0])  # both point at the first: members
    logits[0, 2, 0] = torch.tensor([1.0, 3.0])  # mean 2, variance 1
    logits[0, 3, 0] = torch.tensor([1.0, 0.5])  # mean squared error 0.125

    loss = Embedding(edges=(1.0, 1.0), spread=3.0, seed=2.0)(logits, target)

    assert loss.item() == pytest.approx(3.0 * 1 + 2.0 * 0.125, abs=1e-6)


def test_equal_ids_in_different_samples_are_different_instances():
    loss, target, perfect = Embedding.example()

    moved = perfect.clone()
    moved[1, :2] += 3.0  # all of the second sample point elsewhere: Dice 0, seeds wrong

    # half of the instances are lost, and half of the inner voxels' seeds err by 1
    assert loss(moved, target).item() == pytest.approx(0.5 + 0.5, abs=1e-3)


def test_voxels_of_a_neighbor_that_point_into_an_instance_cost():
    loss, target, perfect = Embedding.example()
    wrong = perfect.clone()
    # from the left edge of the right one, (3, 5), to the middle of the left one, (2, 2)
    wrong[:, :2, 3, 5] = torch.tensor([-1.0, -3.0])

    assert loss(wrong, target) > loss(perfect, target) + 0.01


def test_boxes_are_thinned_out_to_the_limit_of_pairs():
    target = torch.zeros((1, 40, 40), dtype=torch.int16)
    target[0, 5:30, 5:30] = 1
    logits = torch.randn((1, 4, 40, 40), generator=torch.Generator().manual_seed(0))
    full, thin = (
        Embedding(edges=(0.1, 0.1)),
        Embedding(edges=(0.1, 0.1), most_pairs=200),
    )
    inside = target.flatten().nonzero()[:, 0]
    places = torch.stack([inside // 40, inside % 40], dim=1)
    owner = torch.zeros_like(inside)

    pairs, _ = thin._pairs(places, owner, 1, (40, 40))

    assert 100 < len(pairs) <= 200
    assert thin(logits, target).item() == pytest.approx(
        full(logits, target).item(), rel=0.05
    )


def test_it_learns_to_tell_touching_cubes_apart_in_a_volume():
    target = torch.zeros((1, 6, 8, 12), dtype=torch.int16)
    target[:, 1:5, 1:7, 0:6], target[:, 1:5, 1:7, 6:12] = 1, 2
    logits = torch.zeros((1, 5, 6, 8, 12), requires_grad=True)
    loss = Embedding(edges=(0.3, 0.3, 0.3))
    optimizer = torch.optim.Adam([logits], lr=0.1)
    first = loss(logits, target).item()

    for _ in range(60):
        optimizer.zero_grad()
        value = loss(logits, target)
        value.backward()
        optimizer.step()

    assert value.item() < 0.2 * first
