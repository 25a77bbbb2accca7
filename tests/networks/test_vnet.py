"""V-Net: counts of two ports, and its image as a short cut."""

import pytest

from autoseg.networks.vnet import VNet

from .unets import options

FEATURES = [16, 32, 64, 128, 256]
COUNTS = {"convs_encoder": [1, 1, 2, 3, 2], "convs_decoder": [2, 2, 1, 1]}


@pytest.mark.parametrize(
    ("dim", "bias", "count"),
    [
        (2, False, 9_358_730),  # MONAI 1.6.1
        (3, False, 45_597_898),  # MONAI 1.6.1
        (3, True, 45_600_316),  # mattmacy/vnet.pytorch a00c8ea
    ],
)
def test_it_has_as_many_parameters_as_the_ports(dim, bias, count):
    # 1 channel in, 2 out, counted by building them.
    chosen = options(dim, FEATURES, kernel=5, bias=bias, act="elu", **COUNTS)

    assert VNet.drawing(chosen, (32,) * dim, 1, 2).parameters == count


def test_an_image_that_cannot_be_repeated_is_projected():
    chosen = options(2, [4, 8])

    names = [
        [x.name for x in VNet.drawing(chosen, (8, 8), channels, 1).layers]
        for channels in (2, 3)
    ]

    assert ["short" in name for name in names[1]].count(True) == 1
    assert not [name for name in names[0] if "short" in name]
