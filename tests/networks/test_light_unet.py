"""A light U-Net: what an inverted residual block costs, and when it has a short cut."""

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.parts import Layers, Stage
from autoseg.blueprints.rows.blocks import Mobile
from autoseg.networks.light_unet import LightUNet
from autoseg.networks.plain_unet import PlainUNet
from autoseg.testing.network import Patch


def test_a_block_has_the_parameters_of_mobilenetv2s():
    # 24 to 32 channels, 6 times wider, without biases: 24 x 144 + 9 x 144 + 144 x 32,
    # and scale and shift of 144, 144 and 32 channels.
    net, layers = Drawing(24, (8, 8), 1), Layers(norm="batch", bias=False)
    stage = Stage(channels=32, kernel=(3, 3), stride=(2, 2), count=1)

    Mobile(6).draw(net, layers, net.image, stage)

    assert net.parameters == 24 * 144 + 9 * 144 + 144 * 32 + 2 * (144 + 144 + 32)


def test_only_what_stays_as_it_is_has_a_short_cut():
    net, layers = Drawing(8, (8, 8), 1), Layers()
    stage = Stage(channels=8, kernel=(3, 3), stride=(2, 2), count=3)

    Mobile().draw(net, layers, net.image, stage)

    assert [layer.kind for layer in net.layers].count("add") == 2


def test_at_the_finest_resolutions_a_block_is_one_convolution():
    # 8 to 12 channels, strided: 8 x 8 voxels are a quarter of the image's, fine with
    # 2 of the finest; 4 x 4 are a sixteenth, and not.
    fine, coarse = (
        Stage(channels=12, kernel=(3, 3), stride=(2, 2), count=1),
        Stage(channels=12, kernel=(3, 3), stride=(4, 4), count=1),
    )
    for stage, parameters in (
        (fine, 8 * 12 * 9 + 2 * 12),
        (coarse, 8 * 16 + 9 * 16 + 16 * 12 + 2 * (16 + 16 + 12)),
    ):
        net, layers = Drawing(8, (16, 16), 1), Layers(norm="batch", bias=False)

        Mobile(2, fused=2).draw(net, layers, net.image, stage)

        assert net.parameters == parameters


def test_plans_of_before_have_no_block_that_is_one_convolution():
    patch = Patch((32, 32), ((1, 1), (2, 2)), ((3, 3),) * 2)
    planned = LightUNet.plan(patch, {})
    before = {name: value for name, value in planned.items() if name != "fused"}

    drawings = [LightUNet.drawing(o, (32, 32), 1, 2) for o in (planned, before)]

    kernels = [
        [layer.name for layer in drawing.layers if ".fused." in layer.name]
        for drawing in drawings
    ]
    assert kernels[0] and not kernels[1]


def test_it_costs_a_fifth_of_the_default_at_most():
    halves = ((1, 1), *[(2, 2)] * 6)
    patch = Patch((256, 256), halves, ((3, 3),) * 7)

    light, plain = (
        kind.drawing(kind.plan(patch, {}), (256, 256), 3, 2)
        for kind in (LightUNet, PlainUNet)
    )

    def operations(drawing):
        return sum(layer.multiply_adds for layer in drawing.layers)

    assert operations(light) <= operations(plain) / 5
