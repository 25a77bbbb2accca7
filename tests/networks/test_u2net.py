"""U2-Net: counts of its authors' networks, and its outputs."""

import pytest

from autoseg.networks.u2net import U2Net


def _options(features, inside, features_decoder, inside_decoder):
    return {
        "dim": 2,
        "features": features,
        "kernels": [[3, 3]] * 6,
        "strides": [[1, 1]] + [[2, 2]] * 5,
        "inside": inside,
        "features_decoder": features_decoder,
        "inside_decoder": inside_decoder,
        "norm": "batch",
        "act": "relu",
    }


FULL = _options(
    [64, 128, 256, 512, 512, 512],
    [32, 32, 64, 128, 256, 256],
    [512, 256, 128, 64, 64],
    [256, 128, 64, 32, 16],
)
LIGHT = _options([64] * 6, [16] * 6, [64] * 5, [16] * 5)


@pytest.mark.parametrize(
    ("options", "count"),
    [(FULL, 44_009_869), (LIGHT, 1_131_181)],
    ids=["full", "light"],
)
def test_it_has_as_many_parameters_as_the_authors(options, count):
    # U2NET and U2NETP of xuebinqin/U-2-Net ac7e1c8, 3 channels in, 1 out, counted by
    # building them.
    assert U2Net.drawing(options, (64, 64), 3, 1).parameters == count


def test_all_outputs_have_the_size_of_the_image_and_the_fused_one_is_first():
    drawing = U2Net.drawing(LIGHT, (64, 64), 3, 2)

    shapes = [drawing.tensors[head.logits].shape for head in drawing.heads]

    assert shapes == [(64, 64)] * 7
    fused = drawing.finest_first()[0]
    assert drawing.tensors[fused.features].channels == 6 * 2
