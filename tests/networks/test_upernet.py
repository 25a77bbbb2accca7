"""UPerNet: counts of a reference."""

import pytest

from autoseg.networks.upernet import UPerNet

from .encoded import options


@pytest.mark.parametrize(
    ("encoder", "count"),
    [
        ("resnet34", 29_599_938),
        ("resnet50", 37_284_930),
        ("mobilenet_v2", 13_020_210),
    ],
)
def test_it_has_as_many_parameters_as_the_reference(encoder, count):
    # segmentation-models-pytorch 0.6.0 with its defaults, 3 channels in, 2 out, counted
    # by building it.
    drawing = UPerNet.drawing(options(5, encoder=encoder), (128, 128), 3, 2)

    assert drawing.parameters == count
