"""DeepLabV3: counts of a reference, and its grid."""

import pytest

from autoseg.networks.deeplabv3 import DeepLabV3

from .encoded import options


@pytest.mark.parametrize(
    ("encoder", "count"), [("resnet34", 26_007_362), ("resnet50", 39_633_986)]
)
def test_it_has_as_many_parameters_as_the_reference(encoder, count):
    # segmentation-models-pytorch 0.6.0 with its defaults, 3 channels in, 2 out, counted
    # by building it.
    drawing = DeepLabV3.drawing(options(3, encoder=encoder), (128, 128), 3, 2)

    assert drawing.parameters == count


def test_it_has_as_many_parameters_as_torchvisions():
    # deeplabv3_resnet50 of torchvision 0.28.0 without its auxiliary head, 3 channels
    # in, 21 out, counted by building it.
    drawing = DeepLabV3.drawing(options(3, encoder="resnet50"), (128, 128), 3, 21)

    assert drawing.parameters == 39_638_869


def test_its_coarsest_grid_is_an_eighth_and_dilated():
    drawing = DeepLabV3.drawing(options(3), (64, 64), 3, 2)

    deep = [x for x in drawing.layers if x.name.startswith("encoder.layer4")]
    dilations = {
        x.options["dilation"] for x in deep if x.options.get("kernel") == (3, 3)
    }

    assert dilations == {(4, 4)}
    assert drawing.tensors[deep[-1].outputs[0]].shape == (8, 8)
