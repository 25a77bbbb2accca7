"""ResUNet: the count of a reference, and its order of layers."""

from autoseg.networks.resunet import ResUNet

from .unets import heads, options


def test_it_has_as_many_parameters_as_the_reference():
    # ResUnet of rishikksh20/ResUnet 9998512, 3 channels in, 1 out, counted by building
    # it. Its finest level alone has a head.
    chosen = options(2, [64, 128, 256, 512], 1, 1)

    drawing = ResUNet.drawing(chosen, (64, 64), 3, 1)

    assert drawing.parameters == 13_043_009 + heads(256, 128)


def test_norm_and_activation_stand_before_each_convolution_but_the_first():
    drawing = ResUNet.drawing(options(2, [4, 8], 1, 1), (8, 8), 1, 1)

    maker = {x.outputs[0]: x.kind for x in drawing.layers}
    seen = {
        x.name: maker.get(x.inputs[0], "image")
        for x in drawing.layers
        if x.name.startswith("encoder") and "conv" in x.name and "short" not in x.name
    }

    assert list(seen.values()) == ["image", "act", "act", "act"]
