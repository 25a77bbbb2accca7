"""SegFormer: counts of two references."""

import pytest

from autoseg.networks.segformer import SegFormer

from .encoded import options


@pytest.mark.parametrize(
    ("encoder", "count"),
    [
        ("resnet34", 21_876_802),
        ("resnet50", 24_837_442),
        ("mobilenet_v2", 2_924_546),
        ("mit_b0", 3_714_658),
    ],
)
def test_it_has_as_many_parameters_as_the_reference(encoder, count):
    # segmentation-models-pytorch 0.6.0 with its defaults, and transformers 5.24 of size
    # B0, 3 channels in, 2 out, counted by building them.
    drawing = SegFormer.drawing(options(5, encoder=encoder), (128, 128), 3, 2)

    assert drawing.parameters == count
