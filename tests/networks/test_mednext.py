"""MedNeXt: counts of the authors' eight networks, and its overlapping way up."""

import pytest
import torch

from autoseg.blueprints.drawing import Drawing
from autoseg.errors import PlanError
from autoseg.networks.mednext import SIZES, MedNeXt, mirrored

# create_mednext_v1 of MIC-DKFZ/MedNeXt 0b78ed8 in 3-D, 1 channel in, 2 out, without
# deep supervision, counted by building them. All have one parameter that does nothing;
# ours have heads of two channels on 64, 128, 256 and 512 features besides.
COUNTS = {
    ("S", 3): 5_550_915,
    ("B", 3): 10_526_307,
    ("M", 3): 17_548_963,
    ("L", 3): 61_779_267,
    ("S", 5): 5_980_547,
    ("B", 5): 10_955_939,
    ("M", 5): 18_260_835,
    ("L", 5): 62_992_899,
}
HEADS = 2 * (64 + 128 + 256 + 512) + 2 * 4


def _options(size, kernel, dim=3):
    blocks, expansions = SIZES[size]
    return {
        "dim": dim,
        "features": [32, 64, 128, 256, 512],
        "kernels": [[kernel] * dim] * 5,
        "strides": [[1] * dim] + [[2] * dim] * 4,
        "blocks": mirrored(blocks, 5),
        "expansions": mirrored(expansions, 5),
    }


@pytest.mark.parametrize(("size", "kernel"), COUNTS)
def test_it_has_as_many_parameters_as_the_authors(size, kernel):
    drawing = MedNeXt.drawing(_options(size, kernel), (32, 32, 32), 1, 2)

    assert drawing.parameters == COUNTS[size, kernel] - 1 + HEADS


def test_in_2d_it_has_as_many_parameters_as_the_authors():
    # MedNeXt(dim="2d") of the same source.
    drawing = MedNeXt.drawing(_options("S", 3, dim=2), (64, 64), 1, 2)

    assert drawing.parameters == 5_472_003 - 1 + HEADS


def test_the_way_up_begins_with_a_row_of_zeros():
    # A kernel of 3 with stride 2 gives 2 n - 1 voxels; a zero comes first.
    drawing = Drawing(1, (4, 4), 1)
    drawing.head(drawing.deconv(drawing.image, 1, 2, 3, name="up"), name="head")
    from autoseg.blueprints.modules.module import DrawnNetwork

    network = DrawnNetwork(drawing, {"a": 1}, False, divisor=(1, 1))
    up = network.get_submodule("up")
    with torch.no_grad():
        up.weight.fill_(1.0)
        up.bias.fill_(0.0)

        made = up(torch.ones(1, 1, 4, 4))

    # Along an axis: 0, then one voxel's own and, between two, the sum of both.
    row = torch.tensor([0.0, 1, 2, 1, 2, 1, 2, 1])
    assert torch.equal(made[0, 0], row[:, None] * row)


def test_blocks_must_be_given_for_both_ways():
    options, shape = MedNeXt.example(2)

    with pytest.raises(PlanError, match="blocks has 3 entries; with 3 stages it must"):
        MedNeXt.drawing(options | {"blocks": [1, 1, 1]}, shape, 1, 2)
