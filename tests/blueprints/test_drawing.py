"""What is drawn has the sizes and counts that arithmetic gives."""

import pytest

from autoseg.blueprints.drawing import Drawing
from autoseg.errors import PlanError


def test_a_convolution_has_its_weights_and_its_size():
    net = Drawing(3, (10, 12), 2)

    x = net.conv(net.image, 8, (3, 5), (1, 2), name="a")

    layer = net.layers[-1]
    assert (x.channels, x.shape) == (8, (10, 6))
    assert layer.weights == 3 * 8 * 15
    assert layer.parameters == layer.weights + 8
    assert layer.multiply_adds == layer.weights * 60


def test_groups_and_dilation_change_weights_and_reach_only():
    net = Drawing(4, (9, 9), 2)

    x = net.conv(net.image, 8, 3, groups=4, dilation=2, bias=False, name="a")

    assert (x.shape, net.parameters) == ((9, 9), 4 * 8 // 4 * 9)


def test_a_transposed_convolution_enlarges_by_its_stride():
    net = Drawing(4, (3, 5), 2)

    plain = net.deconv(net.image, 2, (1, 2), name="a")
    overlapping = net.deconv(net.image, 2, 2, 3, name="b")

    assert (plain.shape, overlapping.shape) == ((3, 10), (6, 10))
    assert [layer.weights for layer in net.layers] == [4 * 2 * 2, 4 * 2 * 9]


def test_tokens_count_attention_by_their_square():
    net = Drawing(6, (4, 4), 2)

    x = net.attention(net.tokens(net.image), 2)

    assert (x.channels, x.shape) == (2, (16,))
    assert net.layers[-1].multiply_adds == 2 * 2 * 16**2


def test_names_are_put_behind_their_scope_and_used_once():
    net = Drawing(1, (4, 4), 2)
    with net.scope("encoder"):
        net.conv(net.image, 2, name="conv")

    assert net.layers[-1].name == "encoder.conv"
    with pytest.raises(PlanError, match="two of its layers 'encoder.conv'"):
        with net.scope("encoder"):
            net.conv(net.image, 2, name="conv")


def test_what_is_drawn_again_is_learned_once_and_computed_twice():
    net = Drawing(2, (4, 4), 2)
    x = net.conv(net.image, 2, name="conv")

    with net.again():
        net.conv(x, 2, name="conv")
        with pytest.raises(PlanError, match="drawn again with other options"):
            net.conv(x, 2, 1, name="conv")

    assert net.parameters == 2 * 2 * 9 + 2
    assert [layer.multiply_adds for layer in net.layers] == [2 * 2 * 9 * 16] * 2


def test_overlapping_blocks_are_pooled_over_the_border():
    net = Drawing(2, (9, 8), 2)

    pooled, _ = net.max_pool(net.image, 2, 3)

    assert pooled.shape == (5, 4)  # centers are 0, 2, 4, 6, 8, and 0, 2, 4, 6


def test_logits_can_be_enlarged_and_then_are_not_made_late():
    net = Drawing(2, (8, 8), 3)
    small = net.avg_pool(net.image, 2)

    net.head(small, like=net.image, name="head")
    net.head(net.image, name="plain")

    assert [net.tensors[head.logits].shape for head in net.heads] == [(8, 8)] * 2
    assert [head.late for head in net.heads] == [False, True]


def test_an_activation_overwrites_only_what_nobody_else_reads():
    net = Drawing(2, (4, 4), 2)
    a = net.conv(net.image, 2, name="a")
    b = net.act(a)  # read by nobody but this activation
    c = net.conv(b, 2, name="b")
    d = net.act(c)
    net.head(net.add(c, d), name="head")  # c is read again

    places = net.overwrites(net.layers)

    assert {net.layers[place].inputs[0] for place in places} == {a.number}


def test_only_what_an_output_needs_is_computed():
    net = Drawing(2, (4, 4), 2)
    x = net.conv(net.image, 2, name="a")
    coarse = net.head(net.conv(x, 2, 3, 2, name="down"), name="coarse")
    fine = net.head(x, name="fine")

    assert [layer.name for layer in net.needed([fine.number])] == ["a", "fine"]
    assert [h.logits for h in net.finest_first()] == [fine.number, coarse.number]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda net: net.add(net.image, net.avg_pool(net.image, 2)), "cannot be added"),
        (lambda net: net.norm(net.mean(net.image), name="n"), "a single voxel"),
        (lambda net: net.attention(net.tokens(net.image), 3), "no queries, keys"),
        (
            lambda net: net.conv(net.image, 5, groups=2, name="c"),
            "cannot be cut into 2",
        ),
        (lambda net: net.avg_pool(net.image, 8), "too small"),
        (lambda net: net.deconv(net.image, 2, 1, 4, name="d"), "must be odd"),
    ],
)
def test_what_does_not_fit_is_refused(draw, message):
    with pytest.raises(PlanError, match=message):
        draw(Drawing(2, (4, 4), 2))
