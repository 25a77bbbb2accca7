"""Layers on rows of tokens."""

import math

import pytest
import torch

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.modules._sequences import SHAPED
from autoseg.errors import PlanError


def test_a_rotation_turns_by_place_times_frequency():
    x = torch.zeros(1, 6, 8)
    x[..., 0::2] = 1.0  # all pairs point along the first of their channels

    found = SHAPED["rotate"]([x], {"heads": 1}, (2, 3)).view(2, 3, 4, 2)

    # Pairs 0 and 1 turn along the first axis, by 1 and 1/100 a step; 2 and 3 along the
    # second.
    wanted = [1.0, 0.01, 2.0, 0.02]
    for pair, angle in enumerate(wanted):
        torch.testing.assert_close(
            found[1, 2, pair], torch.tensor([math.cos(angle), math.sin(angle)])
        )


def test_what_rotated_tokens_say_to_each_other_depends_on_their_distance():
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 1, 8).expand(2, 1, 25, 8).double()
    options = {"heads": 1}

    turned = [
        SHAPED["rotate"]([y], options, (5, 5)).view(5, 5, 8) for y in (query, key)
    ]

    said = torch.einsum("yxc,vuc->yxvu", *turned)
    torch.testing.assert_close(said[0, 1, 1, 3], said[3, 2, 4, 4])
    assert not torch.isclose(said[0, 1, 1, 3], said[0, 1, 1, 2])


def test_its_gradient_is_the_rotation_back():
    x = torch.randn(1, 6, 8, dtype=torch.double, requires_grad=True)

    assert torch.autograd.gradcheck(
        lambda y: SHAPED["rotate"]([y], {"heads": 2}, (2, 3)), x
    )


def test_tokens_that_look_at_fewer_cost_their_product():
    net = Drawing(8, (4, 4), 2)
    x, few = net.tokens(net.image), net.tokens(net.avg_pool(net.image, 2))

    found = net.look(x, few, few, 2)

    assert (found.channels, found.shape) == (8, (16,))
    assert net.layers[-1].multiply_adds == 2 * 8 * 16 * 4
    both = net.look(x, net.cat(few, few), None, 2)
    assert net.layers[-1].multiply_adds == 2 * 8 * 16 * 4 and both.channels == 8


def test_what_does_not_fit_is_refused():
    net = Drawing(8, (4, 4), 2)
    x = net.tokens(net.image)

    with pytest.raises(PlanError, match="cannot look at 8 with 3 heads"):
        net.look(x, x, x, 3)


def test_values_may_have_more_channels_than_what_is_compared():
    torch.manual_seed(0)
    query, key = torch.randn(2, 1, 6, 2)
    value = torch.randn(1, 6, 5)

    found = SHAPED["look"]([query, key, value], {"heads": 1, "scaled": False}, None)

    torch.testing.assert_close(found, (query @ key.mT).softmax(-1) @ value)


def test_a_channel_takes_most_of_what_is_least_like_it():
    image = torch.zeros(1, 3, 2, 2)
    image[0, :2], image[0, 2] = 5.0, -5.0  # two alike, one their opposite

    found = SHAPED["between_channels"]([image], {}, None)

    torch.testing.assert_close(found[0, 0], image[0, 2])
    torch.testing.assert_close(found[0, 2], image[0, 0])
