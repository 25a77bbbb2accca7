"""Linknet: counts of a reference."""

import pytest

from autoseg.networks.linknet import Linknet

from .encoded import options


@pytest.mark.parametrize(
    ("encoder", "count"), [("resnet34", 21_771_970), ("resnet50", 31_177_810)]
)
def test_it_has_as_many_parameters_as_the_reference(encoder, count):
    # segmentation-models-pytorch 0.6.0 with its defaults, 3 channels in, 2 out, counted
    # by building it.
    drawing = Linknet.drawing(options(5, encoder=encoder), (128, 128), 3, 2)

    assert drawing.parameters == count
