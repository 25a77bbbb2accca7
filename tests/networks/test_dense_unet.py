"""Dense U-Net: the count of a reference, and what a layer is given."""

from autoseg.networks.dense_unet import DenseUNet

DENSENET_161 = {"growth": 48, "blocks": [6, 12, 36, 24], "stem": 96}
OPTIONS = {"dim": 2, "strides": [[2, 2]] * 5, "norm": "batch", "act": "relu"}


def test_it_has_as_many_parameters_as_the_authors():
    # DenseUNet of xmengli/H-DenseUNet 06cc436 (Keras, trainable ones), 3 channels in, 3
    # out, counted by building it. Behind each norm of its encoder there is one more
    # scale and shift.
    drawing = DenseUNet.drawing(OPTIONS | DENSENET_161, (224, 224), 3, 3)

    norms = [x for x in drawing.layers if x.kind == "norm" and "encoder" in x.name]
    assert drawing.parameters + sum(x.parameters for x in norms) == 49_747_779


def test_each_layer_is_given_all_that_was_made_before():
    options = OPTIONS | {"blocks": [3, 1, 1, 1], "growth": 4, "stem": 8}

    drawing = DenseUNet.drawing(options, (32, 32), 1, 1)

    channels = [
        drawing.tensors[x.inputs[0]].channels
        for x in drawing.layers
        if x.name.startswith("encoder.blocks.0") and x.name.endswith("narrow.conv")
    ]
    assert channels == [8, 12, 16]
