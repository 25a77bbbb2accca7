"""DeepLabV3+: counts of a reference."""

import pytest

from autoseg.networks.deeplabv3plus import DeepLabV3Plus

from .encoded import options


@pytest.mark.parametrize(
    ("encoder", "count"), [("resnet34", 22_437_714), ("resnet50", 26_677_842)]
)
def test_it_has_as_many_parameters_as_the_reference(encoder, count):
    # segmentation-models-pytorch 0.6.0 with its defaults, 3 channels in, 2 out, counted
    # by building it.
    drawing = DeepLabV3Plus.drawing(options(4, encoder=encoder), (128, 128), 3, 2)

    assert drawing.parameters == count
