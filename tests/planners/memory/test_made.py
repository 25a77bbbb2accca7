"""What it takes to make tensors again, by counting them on a drawing."""

from autoseg.blueprints.drawing import Drawing
from planners.memory.made import Ways


def test_what_is_made_again_takes_itself_and_all_that_it_is_made_of():
    net = Drawing(1, (8, 8), 2)
    first = net.conv(net.image, 4, (3, 3), name="first")
    made = net.act(net.norm(first, "instance", name="norm"))
    last = net.conv(made, 2, (3, 3), name="last")
    memory = list(range(len(net.tensors)))

    ways = Ways(net, net.layers, [last.number], memory)

    (found,) = ways.made(net.layers[-1], [made.number])
    # The norm's result and the activation's, of 4 channels each, where neither is
    # written over the other.
    assert found.most == 2 * 4 * 8 * 8
    assert ways.roots([made.number]) == (first.number,)
