"""The cross-entropy over places, against its definition."""

import itertools

import torch

from autoseg.losses.points import expectation, gaussians, profiles
from autoseg.losses.spatial_cross_entropy import SpatialCrossEntropy


def by_definition(logits, target, sigma):
    """Return the loss by enumerating all outcomes, in double precision."""
    total, counted = 0.0, 0
    for b, k in itertools.product(*map(range, logits.shape[:2])):
        *place, status = target[b, k].tolist()
        if status == 2:
            continue
        counted += 1
        z = logits[b, k].double()
        log_p = z - torch.logsumexp(torch.cat([z.flatten(), torch.zeros(1)]), 0)
        null = -torch.logsumexp(torch.cat([z.flatten(), torch.zeros(1).double()]), 0)
        inside = all(-0.5 <= c < n - 0.5 for c, n in zip(place, z.shape, strict=True))
        if status == 0 or not inside:
            total -= float(null)
            continue
        t = torch.ones_like(z)
        for index in itertools.product(*map(range, z.shape)):
            square = sum((i - c) ** 2 for i, c in zip(index, place, strict=True))
            t[index] = torch.exp(torch.tensor(-0.5 * square / sigma**2))
        t /= t.sum()
        total -= float((t * log_p).sum())
    return total / counted


def test_it_is_the_cross_entropy_of_all_places_and_nowhere():
    logits = 3 * torch.randn((2, 4, 5, 6), generator=torch.Generator().manual_seed(1))
    target = torch.tensor(
        [
            [[1.2, 3.7, 1], [0, 0, 0], [9.0, 1.0, 1], [2, 2, 2]],
            [[4.4, 5.4, 1], [-0.4, 0, 1], [0, 0, 2], [0, 0, 0]],
        ]
    )
    loss = SpatialCrossEntropy(sigma=[1.3])
    expected = by_definition(logits, target, 1.3)
    torch.testing.assert_close(loss(logits, target), torch.tensor(expected).float())


def test_what_is_unknown_has_no_gradient():
    logits = torch.randn((1, 2, 4, 4), requires_grad=True)
    target = torch.tensor([[[1.0, 1.0, 2], [1.0, 1.0, 1]]])
    SpatialCrossEntropy()(logits, target).backward()
    assert not logits.grad[0, 0].any() and logits.grad[0, 1].any()


def test_a_training_starts_with_every_second_point_present():
    bias = SpatialCrossEntropy().start_bias((8, 16))
    chance = torch.sigmoid(torch.logsumexp(torch.full((8 * 16,), bias), 0))
    torch.testing.assert_close(chance, torch.tensor(0.5))


def test_a_sum_with_a_target_that_is_never_made_is_that_with_it():
    places = torch.tensor([[[2.3, 0.8, 3.1], [1.0, 4.0, 2.0]]])
    values = torch.randn((1, 2, 5, 6, 4))
    dense = gaussians(places, torch.ones(1, 2), (5, 6, 4), (1.0, 2.0, 0.7))
    along = profiles(places, (5, 6, 4), (1.0, 2.0, 0.7))
    wanted = (values * dense).sum((2, 3, 4))
    torch.testing.assert_close(expectation(values, along), wanted)
