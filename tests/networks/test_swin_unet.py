"""Swin-Unet: the count of its authors' code, and what a token is."""

from autoseg.networks.swin_unet import SwinUnet
from autoseg.testing.network import Patch


def test_it_has_as_many_parameters_as_the_authors():
    # SwinTransformerSys of HuCaoFighting/Swin-Unet at f48f623, counted by building it:
    # tiny, 224 pixels, 3 channels in and 9 out. Its last layer has no bias, ours has.
    options = {"dim": 2, "features": 96, "strides": [[1, 1], [4, 4], *[[2, 2]] * 3]}

    drawing = SwinUnet.drawing(options, (224, 224), 3, 9)

    assert drawing.parameters == 27_168_900 + 9


def test_a_token_has_the_size_of_two_halvings_where_there_are_more():
    def strides(halvings):
        steps = ((1, 1), *[(2, 2)] * halvings)
        return SwinUnet.plan(Patch((64, 64), steps, ((3, 3),) * len(steps)), {})[
            "strides"
        ]

    assert strides(1) == [[1, 1], [2, 2]]
    assert strides(2) == [[1, 1], [2, 2], [2, 2]]
    assert strides(4) == [[1, 1], [4, 4], [2, 2], [2, 2]]
