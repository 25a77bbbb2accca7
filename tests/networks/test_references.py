"""Counts of further references, which are rows with other options.

Each was counted by building it: MONAI 1.6.1, segmentation-models-pytorch 0.6.0,
torchvision 0.28.0, dynamic-network-architectures d35f85c, MrGiovanni/UNetPlusPlus
2659ddc (Keras), 4uiiurz1/pytorch-nested-unet 557ea02, milesial/Pytorch-UNet 21d7850,
MIC-DKFZ/MedNeXt 0b78ed8, keras-unet-collection 13e0e7e, ZJUGiveLab/UNet-Version
8ecd067. Those of one head lack ours on coarser levels, which are subtracted.
"""

from autoseg.networks import NETWORKS
from tests.each import each

from .encoded import options as encoded
from .test_mednext import _options as mednext
from .unets import heads, options


def _monai(dim, features, **more):
    return options(dim, features, **{"norm": "instance", "act": "leaky", **more})


def _residual(dim, features, blocks):
    found = _monai(dim, features, decoder=1)
    del found["convs_encoder"]
    return {**found, "blocks": blocks}


def _pooled(features, **more):
    return options(2, features, down="max_pool", **more)


WIDE = [64, 128, 256, 512, 1024]
FIVE, BASIC = [32, 64, 128, 256, 512], [32, 32, 64, 128, 256]
DEEP = {2: [*FIVE, 512], 3: [32, 64, 128, 256, 320]}
BLOCKS = {2: [1, 3, 4, 6, 6, 6], 3: [1, 3, 4, 6, 6]}
LIGHT = {"encoder": "mobilenet_v2"}
# Row, options, channels in and out, heads that the reference lacks, its count.
COUNTS = {
    "PlainConvUNet in 2-D": ("plain_unet", _monai(2, DEEP[2]), 1, 2, 0, 20_619_082),
    "PlainConvUNet in 3-D": ("plain_unet", _monai(3, DEEP[3]), 1, 2, 0, 16_547_592),
    "ResidualEncoderUNet in 2-D": (
        "residual_unet",
        _residual(2, DEEP[2], BLOCKS[2]),
        *(1, 2, 0, 71_816_586),
    ),
    "ResidualEncoderUNet in 3-D": (
        "residual_unet",
        _residual(3, DEEP[3], BLOCKS[3]),
        *(1, 2, 0, 62_809_928),
    ),
    "BasicUNet in 2-D": (
        "plain_unet",
        _monai(2, BASIC, down="max_pool"),
        *(1, 2, heads(128, 64, 32, outputs=2), 1_978_466),
    ),
    "BasicUNet in 3-D": (
        "plain_unet",
        _monai(3, BASIC, down="max_pool"),
        *(1, 2, heads(128, 64, 32, outputs=2), 5_749_410),
    ),
    "BasicUNetPlusPlus in 2-D": (
        "unetpp",
        _monai(2, BASIC, down="max_pool"),
        *(1, 2, 0, 2_410_312),
    ),
    "BasicUNetPlusPlus in 3-D": (
        "unetpp",
        _monai(3, BASIC, down="max_pool"),
        *(1, 2, 0, 6_979_976),
    ),
    "DynUNet in 2-D": (
        "plain_unet",
        _monai(2, FIVE, bias=False),
        *(1, 2, heads(64, 128, 256, outputs=2), 7_762_018),
    ),
    "DynUNet in 3-D": (
        "plain_unet",
        _monai(3, DEEP[3], bias=False),
        *(1, 2, heads(64, 128, 256, outputs=2), 16_543_650),
    ),
    "UNet of pytorch-nested-unet": (
        "plain_unet",
        _pooled(FIVE, up="linear"),
        *(3, 1, heads(64, 128, 256), 7_852_545),
    ),
    "NestedUNet of one head": (
        "unetpp",
        _pooled(FIVE, up="linear"),
        *(3, 1, heads(32, 32, 32), 9_163_329),
    ),
    "U-Net of the authors of U-Net++": (
        "plain_unet",
        _pooled(FIVE, norm="none"),
        *(1, 1, heads(64, 128, 256), 7_759_521),
    ),
    "wide U-Net of the authors of U-Net++": (
        "plain_unet",
        _pooled([35, 70, 140, 280, 560], norm="none"),
        *(1, 1, heads(70, 140, 280), 9_282_246),
    ),
    "U-Net++ of one head": (
        "unetpp",
        _pooled(FIVE, norm="none"),
        *(1, 1, heads(32, 32, 32), 9_041_601),
    ),
    # Its transposed convolutions have a bias, the others none.
    "UNet of Pytorch-UNet": (
        "plain_unet",
        _pooled(WIDE, bias=False),
        *(3, 2, heads(128, 256, 512, outputs=2) - 512 - 256 - 128 - 64, 31_037_698),
    ),
    "unet_2d of keras-unet-collection": (
        "plain_unet",
        _pooled(WIDE, up="nearest", bias=False),
        *(3, 2, heads(128, 256, 512, outputs=2), 34_520_258),
    ),
    # Its gates have biases where ours have norms: half as many numbers.
    "att_unet_2d of keras-unet-collection": (
        "attention_unet",
        _pooled(WIDE, up="linear", bias=False),
        *(3, 2, heads(128, 256, 512, outputs=2) + 960 + 4, 31_908_582),
    ),
    # Kernels of 4 on the way up (12 more for each pair of channels), no norms in the
    # decoder (2 of 2 numbers a channel and node), and of UNet a head of 3 x 3.
    "UNet of UNet-Version": (
        "plain_unet",
        _pooled(WIDE),
        *(3, 1, heads(128, 256, 512) - 12 * 696_320 + 4 * 960 - 8 * 64, 39_396_033),
    ),
    "UNet_2Plus of UNet-Version": (
        "unetpp",
        _pooled(WIDE),
        *(3, 1, -12 * 917_504 + 4 * 1664, 47_176_132),
    ),
    "deeplabv3_mobilenet_v3_large of torchvision": (
        "deeplabv3",
        encoded(3, encoder="mobilenet_v3_large"),
        *(3, 21, 0, 11_025_477),
    ),
    # All of MedNeXt's have one number that does nothing.
    **{
        f"MedNeXt {size} with five heads": (
            "mednext",
            mednext(size, 3),
            *(1, 2, -1, count),
        )
        for size, count in {
            "S": 5_552_843,
            "B": 10_528_235,
            "M": 17_550_891,
            "L": 61_781_195,
        }.items()
    },
    **{
        f"{row} on MobileNetV2": (
            row,
            encoded(strided, **more, **LIGHT),
            3,
            2,
            0,
            count,
        )
        for row, strided, more, count in [
            ("deeplabv3", 3, {}, 12_648_194),
            ("deeplabv3plus", 4, {}, 4_378_770),
            ("fpn", 5, {}, 4_215_554),
            ("linknet", 5, {}, 4_319_892),
            ("manet", 5, {}, 48_888_886),
            ("pan", 4, {"pools": [[2, 2]] * 3}, 2_416_841),
            ("encoder_unetpp", 5, {}, 6_824_866),
        ]
    },
}


@each("reference", COUNTS)
def test_it_has_as_many_parameters_as_the_reference(reference):
    row, chosen, channels, outputs, more, count = COUNTS[reference]

    shape = (128, 128) if chosen["dim"] == 2 else (32, 32, 32)
    drawing = NETWORKS[row].drawing(chosen, shape, channels, outputs)

    assert drawing.parameters - more == count
