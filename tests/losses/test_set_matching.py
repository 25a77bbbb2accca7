import math

import pytest
import torch

from autoseg.losses.set_matching import SetMatching


def target():
    found = torch.zeros((1, 2, 4, 6), dtype=torch.int32)
    found[0, 0, :, :3] = 1
    found[0, 1, 1:3, :] = 2  # crosses it
    return found


def logits(order, high=9.0):
    """Maps that fit the two objects, in an order, and one that is empty."""
    masks = [target()[0, 0] == 1, target()[0, 1] == 2, torch.zeros(4, 6, dtype=bool)]
    return torch.stack([(2.0 * masks[i] - 1) * high for i in order])[None]


def test_which_query_stands_for_which_object_does_not_matter():
    loss = SetMatching()

    values = [float(loss(logits(order), target())) for order in ((0, 1, 2), (2, 0, 1))]

    assert values[0] == pytest.approx(values[1], rel=1e-6)
    assert values[0] < 0.01


def test_of_two_queries_for_one_object_one_is_a_mistake():
    twice = torch.cat([logits((0, 1, 2)), logits((0,))], 1)
    once = torch.cat([logits((0, 1, 2)), logits((2,))], 1)
    loss = SetMatching(empty=0.5)

    # Only how sure the fourth one is differs: 0.5 * 9 over weights of 1 + 1 + 2 * 0.5.
    difference = float(loss(twice, target()) - loss(once, target()))
    assert difference == pytest.approx(0.5 * 9 / 3, rel=1e-3)


def test_an_image_without_objects_wants_empty_maps():
    loss = SetMatching()
    nothing = torch.zeros_like(target())

    assert float(loss(logits((2, 2, 2)), nothing)) < 0.01
    # Three unsure queries: log(2) each, whatever their weight.
    assert float(loss(torch.zeros(1, 3, 4, 6), nothing)) == pytest.approx(
        math.log(2) * 0.6 / 1.0
    )


def test_what_nobody_annotated_counts_neither_as_object_nor_as_background():
    hidden = target()
    hidden[..., 4:] = -2
    loss = SetMatching(ignore_index=-2)
    other = logits((0, 1, 2))
    other[..., 4:] = 7.0

    assert float(loss(other, hidden)) == pytest.approx(
        float(loss(logits((0, 1, 2)), hidden))
    )
    assert torch.isfinite(loss(other, torch.full_like(hidden, -2)))


def test_it_can_be_learned():
    torch.manual_seed(0)
    maps = torch.randn(1, 4, 4, 6, requires_grad=True)
    optimizer = torch.optim.Adam([maps], 0.3)
    loss = SetMatching()
    for _ in range(60):
        optimizer.zero_grad()
        value = loss(maps, target())
        value.backward()
        optimizer.step()

    found = {tuple((m > 0).flatten().tolist()) for m in maps[0].detach()}
    for wanted in (target()[0, 0] == 1, target()[0, 1] == 2):
        assert tuple(wanted.flatten().tolist()) in found
    assert value.item() < 0.1
