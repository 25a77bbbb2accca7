"""Windows of a grid, and attention inside of them."""

import itertools

import pytest
import torch

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.modules._attention import SHAPED, WindowAttention, _Attended
from autoseg.errors import PlanError

GRID, WINDOW, HEADS = (5, 6), 4, 2


def _module(shift, dim=2):
    net = Drawing(3 * 4, GRID, 1)
    x = net.windows(net.tokens(net.image), net.image, WINDOW, shift)
    net.window_attention(x, net.image, WINDOW, shift, HEADS, name="seen")
    return WindowAttention(net.layers[-1]).double()


def _attended(shift, image):
    """What the layers give for (N, 3 C), token by token, in the grid's order."""
    options = {"window": WINDOW, "shift": shift}
    sorted_ = SHAPED["windows"]([image[None]], options, GRID)
    module = _module(shift)
    torch.manual_seed(1)
    with torch.no_grad():
        module.weight.normal_()
    found = module(sorted_, GRID)
    return SHAPED["unwindows"]([found], options, GRID)[0], module.weight


@pytest.mark.parametrize("shift", [False, True])
def test_each_token_sees_those_of_its_window_by_hand(shift):
    torch.manual_seed(0)
    image = torch.randn(30, 12, dtype=torch.double)

    found, table = _attended(shift, image)

    # The grid is padded to 8 x 8 with zeros; a shifted one is cut 2 later.
    by = WINDOW // 2 if shift else 0
    rows = torch.zeros(8, 8, 12, dtype=torch.double)
    rows[:5, :6] = image.view(5, 6, 12)
    places = list(itertools.product(range(8), range(8)))
    for here in [(0, 0), (1, 3), (4, 5), (2, 2)]:
        query = rows[here][:4].view(HEADS, 2)

        def piece(place):
            return tuple((n - by) // WINDOW for n in place)

        seen = [p for p in places if piece(p) == piece(here)]
        keys = torch.stack([rows[p][4:8].view(HEADS, 2) for p in seen])
        values = torch.stack([rows[p][8:].view(HEADS, 2) for p in seen])
        logits = torch.einsum("hd,khd->hk", query, keys) / 2**0.5
        for k, place in enumerate(seen):
            y, x = (a - b + WINDOW - 1 for a, b in zip(here, place, strict=True))
            logits[:, k] += table[y * (2 * WINDOW - 1) + x].detach()
        wanted = torch.einsum("hk,khd->hd", logits.softmax(1), values).flatten()
        torch.testing.assert_close(found[here[0] * 6 + here[1]], wanted)


def test_its_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    regions = torch.tensor([[0, 0, 1, 1], [0, 0, 0, 0]], dtype=torch.int16)
    x = torch.randn(4, 4, 12, dtype=torch.double, requires_grad=True)
    table = torch.randn(9, 2, dtype=torch.double, requires_grad=True)

    assert torch.autograd.gradcheck(
        lambda a, b: _Attended.apply(a, b, (2, 2), regions, 2), (x, table)
    )


def test_blocks_are_stacked_and_put_back():
    image = torch.arange(24.0).view(1, 1, 4, 6)

    merged = SHAPED["merge"]([image], {"stride": (2, 3)}, None)

    assert merged.shape == (1, 6, 2, 2)
    assert merged[0, :, 0, 1].tolist() == [3, 4, 5, 9, 10, 11]
    assert torch.equal(SHAPED["expand"]([merged], {"stride": (2, 3)}, None), image)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda net: net.merge(net.image, 3), "do not divide a grid"),
        (lambda net: net.expand(net.image, 2), "make no blocks"),
        (
            lambda net: net.windows(net.image, net.max_pool(net.image, 2)[0], 2, False),
            "do not stand on a grid",
        ),
    ],
    ids=["merge", "expand", "windows"],
)
def test_what_does_not_fit_is_refused(draw, message):
    with pytest.raises(PlanError, match=message):
        draw(Drawing(6, (4, 4), 2))
