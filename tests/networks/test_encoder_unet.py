"""U-Net on an encoder: counts of a reference, and its attention."""

import pytest

from autoseg.errors import PlanError
from autoseg.networks.encoder_unet import EncoderUNet
from autoseg.spec.choice import Choice
from autoseg.spec.configuration import Configuration

from .encoded import options


@pytest.mark.parametrize(
    ("encoder", "count"), [("resnet34", 24_436_514), ("resnet50", 32_521_250)]
)
def test_it_has_as_many_parameters_as_the_reference(encoder, count):
    # segmentation-models-pytorch 0.6.0 with its defaults, 3 channels in, 2 out, counted
    # by building it.
    drawing = EncoderUNet.drawing(options(5, encoder=encoder), (128, 128), 3, 2)

    assert drawing.parameters == count


def test_it_has_as_many_parameters_with_attention():
    # The same with decoder_attention_type="scse"; 195 of the reference's never get a
    # gradient: those at the image's size, which has no skip to gate.
    drawing = EncoderUNet.drawing(options(5, attention="scse"), (64, 64), 3, 2)

    assert drawing.parameters == 24_550_505 - 195


def test_one_channel_of_the_image_less_is_one_kernel_less_for_each_feature():
    # The same encoder with in_channels=1, counted by building it.
    drawing = EncoderUNet.drawing(options(5), (64, 64), 1, 2)

    assert drawing.parameters == 24_430_242


def test_an_encoder_that_is_not_known_is_refused():
    with pytest.raises(PlanError, match="Did you mean 'resnet34'"):
        EncoderUNet.drawing(options(5, encoder="resnet43"), (64, 64), 3, 2)


def test_its_outputs_are_as_fine_as_the_image_though_its_first_stride_is_2():
    planned = Configuration(
        spacing=(1.0, 1.0),
        patch_size=(64, 64),
        batch_size=2,
        median_shape=(64.0, 64.0),
        network=Choice(name="encoder_unet", options=options(5)),
        batch_dice=True,
    )

    assert planned.head_stride == (1, 1)
