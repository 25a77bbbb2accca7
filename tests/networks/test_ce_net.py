"""CE-Net: the count of its authors' network, and weights that branches share."""

from autoseg.networks.ce_net import CENet

from .encoded import options


def test_it_has_as_many_parameters_as_the_authors():
    # CE_Net_ of Guzaiwang/CE-Net d7f0865, 3 channels in, 1 out, counted by building it.
    assert CENet.drawing(options(5), (192, 192), 3, 1).parameters == 29_003_093


def test_branches_share_their_weights():
    drawing = CENet.drawing(options(5), (192, 192), 3, 1)

    names = [layer.name for layer in drawing.layers if layer.shared]

    dilated, pooled = "decoder.dilated", "decoder.pooled"
    assert sorted(names) == [
        f"{dilated}.far",
        *[f"{dilated}.mix"] * 2,
        *[f"{pooled}.one"] * 3,
    ]
