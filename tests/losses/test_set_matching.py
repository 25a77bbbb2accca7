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


def told(shape, ids, tellers):
    """Answers of voxels: each has the logits of two maps, and says which is its."""
    voxels = math.prod(shape)
    maps = torch.stack([(target()[0, n] == n + 1) * 18.0 - 9 for n in (0, 1)])
    every = torch.ones(4, voxels)  # the third: what level a mask has besides
    every[:2], every[3] = maps.flatten(1), 0.0
    found = torch.cat([torch.zeros(4, len(tellers)), every[:, tellers], every], 1)[None]
    for column, (at, one) in enumerate(zip(tellers, ids, strict=True)):
        found[0, 3, column] = at
        if one is None:
            found[0, 2, column] = -9.0  # an empty mask
        else:
            found[0, one, column] = 1.0
    return found


def test_voxels_tell_of_the_object_that_they_are_of_alone():
    # Rows of 6: the first object has columns 0 to 2, the second rows 1 and 2.
    places = [0, 20, 9, 16, 5, 22, 7]
    right = [0, 0, 1, 1, None, None, None]
    loss = SetMatching()

    good = float(loss(told((4, 6), right, places), target()))
    swapped = [1, *right[1:]]
    shared = [*right[:-1], 1]  # 7 is of both: nothing is asked of it

    assert good < 0.01
    assert float(loss(told((4, 6), swapped, places), target())) > 1
    assert float(loss(told((4, 6), shared, places), target())) == good
    nowhere = [*right[:4], 1, *right[5:]]
    # Voxel 5 is not in the mask of the second object, of which it tells: no mistake.
    assert float(loss(told((4, 6), nowhere, places), target())) < 0.01


def test_of_what_voxels_tell_what_nobody_annotated_does_not_count():
    hidden = target()
    hidden[..., 4:] = -2
    loss = SetMatching(ignore_index=-2)
    places, ids = [0, 9, 16, 5], [0, 1, None, 0]
    plain = told((4, 6), ids, places)
    other = plain.clone()
    other[0, :2, 8:].unflatten(1, (4, 6))[..., 4:] = 7.0
    other[0, :2, 6:8] = 7.0

    # Voxels 16 and 5 are hidden: what they tell does not matter.
    assert float(loss(other, hidden)) == float(loss(plain, hidden)) < 0.01
    assert torch.isfinite(loss(plain, torch.full_like(hidden, -2)))


def test_a_voxel_inside_may_count_as_one_outside():
    border = torch.full((1, 1, 4, 6), -9.0)
    border[0, 0, :, :3] = 9.0
    border[0, 0, :, 3] = 0.5  # likely, and not of the object
    one = target()[:, :1]
    even, parts = SetMatching(dice=0, even=True), SetMatching(dice=0)

    # softplus(0.5) for 4 voxels, over the object's 12 and over 12 outside.
    wrong = 4 * math.log1p(math.exp(0.5)) / 12
    assert float(even(border, one)) == pytest.approx(wrong, abs=2e-3)
    assert float(parts(border, one)) == pytest.approx(wrong, abs=2e-3)
    wide = torch.full((1, 1, 4, 12), -9.0)
    wide[..., :6], more = border, torch.zeros((1, 1, 4, 12), dtype=torch.int32)
    more[..., :6] = one
    # Twice as large a picture, 36 voxels outside of the object: a border as before.
    assert float(even(wide, more)) == pytest.approx(wrong, abs=2e-3)
    assert float(parts(wide, more)) == pytest.approx(wrong / 3, abs=2e-3)


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
