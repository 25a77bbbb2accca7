"""FPN: counts of a reference, and what it adds up."""

import pytest

from autoseg.networks.fpn import FPN

from .encoded import options


@pytest.mark.parametrize(
    ("encoder", "count"), [("resnet34", 23_155_522), ("resnet50", 26_116_162)]
)
def test_it_has_as_many_parameters_as_the_reference(encoder, count):
    # segmentation-models-pytorch 0.6.0 with its defaults, 3 channels in, 2 out, counted
    # by building it.
    drawing = FPN.drawing(options(5, encoder=encoder), (128, 128), 3, 2)

    assert drawing.parameters == count
