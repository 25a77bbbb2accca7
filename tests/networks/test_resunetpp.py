"""ResUNet++: the count of its authors' network."""

from autoseg.networks.resunetpp import ResUNetPlusPlus

from .unets import options


def test_it_has_as_many_parameters_as_the_authors():
    # ResUnetPlusPlus of DebeshJha/ResUNetPlusPlus f07b906 (Keras, trainable ones), 3
    # channels in, 1 out, counted by building it.
    chosen = options(2, [16, 32, 64, 128], 1, 1)

    drawing = ResUNetPlusPlus.drawing(chosen, (256, 256), 3, 1)

    assert drawing.parameters == 4_062_993


def test_its_context_has_the_dilations_of_its_authors():
    drawing = ResUNetPlusPlus.drawing(options(2, [4, 8], 1, 1), (16, 16), 1, 1)

    dilations = [
        layer.options["dilation"][0]
        for layer in drawing.layers
        if layer.name.startswith("encoder.context.branches") and layer.kind == "conv"
    ]

    assert dilations == [6, 12, 18, 1]
