import pytest
import torch

from autoseg.losses.located_masks import LocatedMasks


def parts():
    loss, target, perfect = LocatedMasks.example()
    return loss, target[:1], perfect[:1]


def test_several_masks_may_stand_for_one_object():
    loss, target, perfect = parts()
    twice = torch.cat([perfect, perfect[:, :1]], 1)

    assert float(loss(twice, target)) == pytest.approx(
        float(loss(perfect, target)), abs=1e-5
    )


def test_a_mask_of_nothing_is_to_be_unsure():
    loss, target, perfect = parts()
    wrong = perfect.clone()
    wrong[0, 1, 5, 6:] = 20.0  # beside both objects

    # Of weights 1 + 1 + 0.2, that of the wrong one times its logit.
    found = float(loss(wrong, target)) - float(loss(perfect, target))
    assert found == pytest.approx(20 * 0.2 / 2.2, rel=1e-4)


def test_every_object_has_a_mask_that_learns_it_however_far():
    _, target, _ = parts()
    logits = torch.full((1, 2, 6, 8), -6.0, requires_grad=True)

    LocatedMasks(sure=0.0)(logits, target).backward()

    # Both masks are empty; each is pulled up where its object is.
    first, second = (logits.grad[0, q] < -1e-3 for q in (0, 1))
    assert {int(first.sum()), int(second.sum())} == {12}


def test_of_a_first_look_only_voxels_of_one_object_alone_are_asked():
    loss, target, _ = parts()
    looks = torch.full((1, 6, 8, 6, 8), -20.0)
    one, other = target[0, 0] > 0, target[0, 1] > 0
    looks[0, one] = torch.where(one, 20.0, -20.0)
    looks[0, other] = torch.where(other, 20.0, -20.0)
    perfect = float(loss(looks, target))
    looks[0, one & other] = 3.0  # of both: whatever they say

    assert perfect < 1e-3
    assert float(loss(looks, target)) == pytest.approx(perfect, abs=1e-6)
    looks[0, 1, 1] = -20.0  # of the first: it has a mask to tell of
    assert float(loss(looks, target)) > perfect + 0.5


@pytest.mark.parametrize(("columns", "counts"), [(2, False), (0, True)])
def test_a_mask_that_is_half_like_an_object_is_told_nothing(columns, counts):
    """8 of 32 voxels: Dice 2 * 8 / (32 + 8) = 0.4. Of none, it is to be empty."""
    target = torch.zeros((1, 1, 4, 16), dtype=torch.int32)
    target[..., :8] = 1
    maps = torch.full((1, 2, 4, 16), -20.0)
    maps[0, 0, :, :8] = 20.0
    maps[0, 1, :, :columns] = 20.0
    maps[0, 1, 0, 15] = 1.0 if counts else -20.0
    maps.requires_grad_()

    LocatedMasks()(maps, target).backward()

    assert bool(maps.grad[0, 1].abs().max() > 1e-4) is counts
