"""MultiResUNet: counts of its authors' networks."""

import pytest

from autoseg.networks.multires_unet import MultiResUNet

from .unets import heads, options

FEATURES = [32, 64, 128, 256, 512]
COARSER = (426, 212, 105)  # channels of levels: int(W / 6) + int(W / 3) + int(W / 2)


@pytest.mark.parametrize(("outputs", "count"), [(2, 7_251_376), (5, 7_251_538)])
def test_it_has_as_many_parameters_as_the_authors(outputs, count):
    # MultiResUnet of nibtehaz/MultiResUNet 5318aaf (PyTorch), 3 channels in, counted by
    # building it. Its scores are normalized, too: a scale and a shift for each.
    chosen = options(2, FEATURES, 1, 1, down="max_pool")

    drawing = MultiResUNet.drawing(chosen, (64, 64), 3, outputs)

    more = heads(*COARSER, outputs=outputs) - 2 * outputs
    assert drawing.parameters == count + more


@pytest.mark.parametrize(
    ("dim", "channels", "count"), [(2, 3, 7_238_228), (3, 1, 18_632_366)]
)
def test_it_has_as_many_parameters_as_in_keras(dim, channels, count):
    # MultiResUnet and MultiResUnet3D of the same, trainable ones: convolutions have no
    # bias, but for those that enlarge, and norms behind convolutions no scale.
    chosen = options(dim, FEATURES, 1, 1, down="max_pool", bias=False)

    drawing = MultiResUNet.drawing(chosen, (32,) * dim, channels, 1)

    maker = {x.outputs[0]: x.kind for x in drawing.layers}
    behind = [x for x in drawing.layers if x.kind == "norm"]
    behind = [x for x in behind if maker[x.inputs[0]] == "conv"]
    enlarged = [x for x in drawing.layers if x.kind == "deconv"]
    scales = sum(drawing.tensors[x.inputs[0]].channels for x in behind)
    biases = sum(drawing.tensors[x.outputs[0]].channels for x in enlarged)
    assert drawing.parameters - scales + biases == count + heads(*COARSER)
