"""MAnet: counts of a reference, and what its voxels see."""

import pytest
import torch

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.modules._layers import apply
from autoseg.networks.manet import MAnet

from .encoded import options


@pytest.mark.parametrize(
    ("encoder", "count"), [("resnet34", 31_783_778), ("resnet50", 147_440_138)]
)
def test_it_has_as_many_parameters_as_the_reference(encoder, count):
    # segmentation-models-pytorch 0.6.0 with its defaults, 3 channels in, 2 out, counted
    # by building it.
    drawing = MAnet.drawing(options(5, encoder=encoder), (128, 128), 3, 2)

    assert drawing.parameters == count


def test_attention_over_all_pairs_adds_up_to_one():
    net = Drawing(2, (2, 3), 1)
    x = net.tokens(net.image)
    net.affinity(x, x, x)
    tokens = torch.randn(1, 6, 2)

    seen = apply(net.layers[-1], [tokens, tokens, torch.ones(1, 6, 2)], False, None)

    assert net.layers[-1].multiply_adds == (2 + 2) * 6**2
    torch.testing.assert_close(seen.sum(), torch.tensor(2.0))  # two channels of ones
