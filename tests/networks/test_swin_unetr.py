"""Swin UNETR: counts of MONAI's in both versions, and sizes that it takes."""

import pytest

from autoseg.errors import PlanError
from autoseg.networks.swin_unetr import SwinUNETR

# SwinUNETR of MONAI 1.6.1, counted by building it: axes, channels of the first stage,
# of the image, classes, second version.
COUNTS = [
    ((2, 12, 1, 2, False), 1_590_128),
    ((2, 24, 1, 2, False), 6_302_228),
    ((2, 48, 1, 2, False), 25_137_980),
    ((3, 12, 1, 2, False), 4_078_064),
    ((3, 24, 1, 2, False), 15_703_004),
    ((3, 48, 1, 2, False), 62_186_708),
    ((3, 48, 1, 14, False), 62_187_296),
    ((3, 48, 4, 3, False), 62_191_941),
    ((2, 24, 1, 2, True), 7_183_508),
    ((3, 24, 1, 2, True), 18_346_844),
]


@pytest.mark.parametrize(("given", "count"), COUNTS, ids=str)
def test_it_has_as_many_parameters_as_monais(given, count):
    dim, features, channels, classes, second = given
    options = {
        "dim": dim,
        "features": features,
        "strides": [[1] * dim] + [[2] * dim] * 5,
        "affine": False,  # MONAI's instance norms learn nothing
        "convolve": second,
    }

    drawing = SwinUNETR.drawing(options, (64,) * dim, channels, classes)

    assert drawing.parameters == count


def test_attention_costs_as_much_as_windows_and_not_as_the_image():
    options, _ = SwinUNETR.example(2)

    def multiply_adds(edge):
        drawing = SwinUNETR.drawing(options, (edge, edge), 1, 2)
        kinds = [la for la in drawing.layers if la.kind == "window_attention"]
        return sum(layer.multiply_adds for layer in kinds)

    assert multiply_adds(64) == 4 * multiply_adds(32)


def test_fewer_depths_than_stages_are_refused():
    options, shape = SwinUNETR.example(2)

    with pytest.raises(PlanError, match="depths has 0 entries; with 1 stages"):
        SwinUNETR.drawing({**options, "depths": []}, shape, 1, 2)
