"""PAN: counts of a reference, and pools that fit the patch."""

import pytest

from autoseg.networks.pan import PAN
from autoseg.testing.network import Patch

from .encoded import options


@pytest.mark.parametrize(
    ("encoder", "count"), [("resnet34", 21_476_105), ("resnet50", 24_260_105)]
)
def test_it_has_as_many_parameters_as_the_reference(encoder, count):
    # segmentation-models-pytorch 0.6.0 with its defaults, 3 channels in, 2 out, counted
    # by building it.
    chosen = options(4, encoder=encoder, pools=[[2, 2]] * 3)

    assert PAN.drawing(chosen, (128, 128), 3, 2).parameters == count


def test_a_grid_is_pooled_no_further_than_to_one_voxel():
    halves = ((1, 1), (2, 2), (2, 2), (1, 2), (1, 2))  # 16 x 64 pixels: a grid of 4 x 4
    patch = Patch((16, 64), halves, ((3, 3),) * 5)

    assert PAN.plan(patch, {})["pools"] == [[2, 2], [2, 2], [1, 1]]
