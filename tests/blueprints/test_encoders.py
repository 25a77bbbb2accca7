"""Encoders of classification: as many learned numbers as elsewhere."""

import pytest

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.encoders import ENCODERS, find_encoder
from autoseg.blueprints.parts import Layers
from autoseg.errors import PlanError
from autoseg.networks.encoder_unet import EncoderUNet
from autoseg.networks.linknet import Linknet
from tests.each import each
from tests.networks.encoded import options

LAYERS = {"norm": "batch", "act": "relu", "bias": False}
# Counted by building them with 3 channels, without what classifies: torchvision 0.29.1,
# but for seresnet (timm 1.0.15) and mit (its U-Net below).
COUNTS = {
    "resnet18": 11_176_512,
    "resnet34": 21_284_672,
    "resnet50": 23_508_032,
    "resnext50_32x4d": 22_979_904,
    "densenet121": 6_953_856,
    "vgg16": 14_714_688,
    "vgg16_bn": 14_723_136,
    "mobilenet_v2": 2_223_872,
    "mobilenet_v3_small": 927_008,
    "mobilenet_v3_large": 2_971_952,
    "convnext_tiny": 27_818_592,
}
# U-Nets of segmentation_models.pytorch 0.6.0 on them: 3 channels in, 2 out. It keeps a
# last convolution of EfficientNet (412,160) that it does not use.
UNETS = {
    "resnet34": 24_436_514,
    "resnet50": 32_521_250,
    "seresnet50": 35_052_242,
    "densenet121": 13_607_778,
    "vgg16_bn": 23_756_834,
    "mobilenet_v2": 6_629_090,
    "mobilenet_v3_small": 3_585_794,
    "efficientnet_b0": 6_251_614 - 412_160,
    "mit_b0": 5_549_634,
    "convnext_tiny": 31_928_898,
}


def drawn(name, shape=(128, 128), narrow=1):
    net = Drawing(3, shape, 1)
    strides = [(2,) * len(shape)] * 5
    return net, find_encoder(name).draw(net, Layers(**LAYERS), strides, [1] * 5, narrow)


@pytest.mark.parametrize("name", COUNTS)
def test_it_has_as_many_parameters_as_in_its_library(name):
    assert drawn(name)[0].parameters == COUNTS[name]


@pytest.mark.parametrize("name", UNETS)
def test_its_unet_has_as_many_parameters_as_in_its_library(name):
    options = {
        "dim": 2,
        "strides": [[2, 2]] * 5,
        "dilations": [1] * 5,
        "encoder": name,
        "center": name.startswith("vgg"),
        **LAYERS,
    }

    assert EncoderUNet.drawing(options, (128, 128), 3, 2).parameters == UNETS[name]


@each("name", ENCODERS)
@each("dim", [2, 3])
def test_features_are_halved_with_each_reduction(name, dim):
    features = drawn(name, (64,) * dim, narrow=8)[1]

    assert [x.shape for x in features] == [(64 // 2**n,) * dim for n in range(1, 6)]


def test_a_row_that_needs_half_the_resolution_says_so():
    options, shape = Linknet.example(2)

    with pytest.raises(PlanError, match="mit_b0 has none"):
        Linknet.drawing({**options, "encoder": "mit_b0"}, (64, 64), 1, 2)


def test_the_last_features_of_densenet_may_be_negative():
    # The activation after its last norm belongs to the classifier, in
    # segmentation_models.pytorch, too: who reads the norm enlarges it, no more.
    chosen = options(5, encoder="densenet121")
    drawing = EncoderUNet.drawing(chosen, (64, 64), 3, 2)

    (norm,) = (layer for layer in drawing.layers if layer.name == "encoder.norm5")
    readers = [layer for layer in drawing.layers if norm.outputs[0] in layer.inputs]
    assert [layer.kind for layer in readers] == ["resize"]
