"""UltraLight VM-UNet at the widths of its authors."""

import torch

from autoseg.blueprints.drawing import Drawing
from autoseg.blueprints.modules._layers import make
from autoseg.networks.ultralight_vm_unet import UltraLightVMUNet


def test_it_has_its_authors_parameters():
    options, _ = UltraLightVMUNet.example(2)
    options |= {
        "features": [8, 16, 24, 32, 48, 64],
        "strides": [[1, 1]] + [[2, 2]] * 5,
        "convolved": 3,
    }

    drawing = UltraLightVMUNet.drawing(options, (64, 64), 3, 1)

    # github:wurenkai/UltraLight-VM-UNet@d7648e4, 3 channels, 1 class.
    assert drawing.parameters == 49_457


def test_parts_of_the_channels_share_one_state_space():
    drawing = UltraLightVMUNet.drawing(*UltraLightVMUNet.example(2), 1, 1)

    scan = next(layer for layer in drawing.layers if layer.kind == "scan")
    seen = drawing.tensors[scan.outputs[0]]
    # 8 channels of 16 voxels are 4 rows of 2 channels, which are 4 inside.
    assert (seen.channels, seen.voxels) == (4, 4 * 16)


def test_neighboring_channels_of_a_voxel_are_convolved_with_zeros_beyond_the_last():
    net = Drawing(5, (1, 1), 1)
    net.among_channels(net.image, 3, name="neighbors")
    module = make(net.layers[0], 5, 5, 2)
    x = torch.arange(1.0, 6.0).view(1, 5, 1, 1)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[[1.0, 10.0, 100.0]]]))

    found = module(x).flatten().tolist()

    assert found == [210.0, 321.0, 432.0, 543.0, 54.0]
