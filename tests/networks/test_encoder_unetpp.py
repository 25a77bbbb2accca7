"""U-Net++ on an encoder: counts of a reference."""

import pytest

from autoseg.networks.encoder_unetpp import EncoderUNetPlusPlus

from .encoded import options


@pytest.mark.parametrize(
    ("encoder", "count"), [("resnet34", 26_078_754), ("resnet50", 48_985_890)]
)
def test_it_has_as_many_parameters_as_the_reference(encoder, count):
    # segmentation-models-pytorch 0.6.0 with its defaults, 3 channels in, 2 out, counted
    # by building it.
    drawing = EncoderUNetPlusPlus.drawing(options(5, encoder=encoder), (128, 128), 3, 2)

    assert drawing.parameters == count
