"""3D TransUNet: the count of its authors' encoder."""

from autoseg.networks.transunet3d import TransUNet3D

FEATURES = [32, 64, 128, 256, 320, 320]


def test_it_has_as_many_parameters_as_its_authors():
    # Generic_TransUNet_max_ppbp of Beckschen/3D-TransUNet 9f18182 with
    # configs/Synapse/encoder_only.yaml, 1 channel in, 9 out, counted by building it.
    options = {
        "dim": 3,
        "patch": [40, 224, 192],
        "features": FEATURES,
        "kernels": [[1, 3, 3]] + [[3, 3, 3]] * 5,
        "strides": [[1, 1, 1], [1, 2, 2], *[[2, 2, 2]] * 3, [1, 2, 2]],
        "convs_encoder": [2] * 6,
        "convs_decoder": [2] * 5,
    }

    drawing = TransUNet3D.drawing(options, (40, 224, 192), 1, 9)

    # Theirs has no bias on the way up, no heads when it is built so, two scales of each
    # channel in a layer, and in its finest level the kernel of the second stage.
    up, heads = sum(FEATURES[:5]), 9 * sum(FEATURES[:5]) + 9 * 5
    finest, scales = (27 - 9) * (64 * 32 + 32 * 32), 12 * 2 * 768
    assert drawing.parameters - up - heads + finest + scales == 116_484_704
