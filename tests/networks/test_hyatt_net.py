"""HYATT-Net at the widths of its authors, part by part."""

from autoseg.networks.hyatt_net import HYATTNet

FEATURES, WIDER = [64, 128, 320, 512, 1024], [8, 8, 8, 4, 4]


def _stage(before, width, wider):
    """Learned numbers of a stage by formulas of its parts."""
    down = 9 * before * width + width + 2 * width  # with its norm
    near, local = 10 * width, 26 * width  # depthwise, of 3 x 3 and 5 x 5
    attention = 4 * (width**2 + width)  # queries, keys, values, projection
    mlp = 2 * wider * width**2 + (wider + 1) * width
    gated = 2 * (9 * width**2 + width + 2 * width)
    gates = 2 * width * (width // 16) + 2 * 49
    return down + near + local + attention + mlp + 4 * width + gated + gates


def test_its_stages_are_made_of_the_parts_of_the_paper():
    options = {
        "dim": 2,
        "features": FEATURES,
        "strides": [[1, 1]] + [[2, 2]] * 5,
        "pyramid": 256,
    }

    drawing = HYATTNet.drawing(options, (128, 128), 3, 19)

    counts = sum(
        layer.parameters for layer in drawing.layers if "encoder." in layer.name
    )
    widths = zip([3, *FEATURES[:-1]], FEATURES, WIDER, strict=True)
    assert counts == sum(_stage(*width) for width in widths)
    # The authors' backbone has 68,986,346: kernels of 4 where it strides, and a third
    # convolution in the gated block.
    more = 7 * sum(a * b for a, b in zip([3, *FEATURES[:-1]], FEATURES, strict=True))
    third = 9 * sum(width**2 for width in FEATURES)
    assert abs(68_986_346 - counts - more - third) < 10_000
