"""SA-UNet: the count of its authors' network, and its gate."""

from autoseg.networks.plain_unet import PlainUNet
from autoseg.networks.sa_unet import SAUNet

from .unets import heads, options


def test_it_has_as_many_parameters_as_the_authors():
    # SA_UNet and Backbone of clguo/SA-UNet b9f9c1c (Keras, trainable ones), 3 channels
    # in, 1 out, counted by building them. Theirs have one head.
    chosen = options(2, [16, 32, 64, 128], down="max_pool", up="deconv3")

    gated = SAUNet.drawing(chosen, (512, 512), 3, 1)
    plain = PlainUNet.drawing(chosen, (512, 512), 3, 1)

    assert gated.parameters == 537_299 + heads(64, 32)
    assert plain.parameters == 537_201 + heads(64, 32)
