"""R2U-Net: counts of a reference, and weights that are used again."""

import pytest

from autoseg.networks.r2unet import R2UNet

from .unets import heads, options

FEATURES = [64, 128, 256, 512, 1024]


@pytest.mark.parametrize(
    ("more", "count"),
    [
        ({}, 39_091_393),
        ({"times": 3}, 39_091_393),
        ({"gate": "lee"}, 39_442_925),
    ],
    ids=["R2U-Net", "three times", "R2AU-Net"],
)
def test_it_has_as_many_parameters_as_leejunhyuns(more, count):
    # R2U_Net and R2AttU_Net of LeeJunHyun/Image_Segmentation 5e9da93, 3 channels in, 1
    # out, counted by building them. Theirs have one head.
    chosen = options(2, FEATURES, down="max_pool", up="nearest", **more)

    drawing = R2UNet.drawing(chosen, (64, 64), 3, 1)

    assert drawing.parameters == count + heads(512, 256, 128)


def test_once_more_costs_operations_alone():
    chosen = options(2, [4, 8], down="max_pool")

    twice, thrice = (
        R2UNet.drawing(chosen | {"times": times}, (8, 8), 1, 1) for times in (2, 3)
    )

    def convolved(drawing):
        found = [x for x in drawing.layers if ".recurrent.0.conv" in x.name]
        return len([x for x in found if x.name.startswith("encoder.stages.0")])

    assert (convolved(twice), convolved(thrice)) == (3, 4)
    assert twice.parameters == thrice.parameters
