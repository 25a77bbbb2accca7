"""Boxes, and the masks in them."""

import numpy as np
import pytest
import torch

from autoseg.blueprints.modules.trainable import Trainable
from autoseg.networks._reading import with_readers
from autoseg.networks._regions import RegionReader, _alike
from autoseg.representations.boxes import Boxes
from tests.representations.test_prototypes import CROSS, FLAT, crossing, wholes


def test_objects_that_cross_come_back_whole():
    made = Boxes(2, regions=3)

    assert wholes(made.find(made.encode(crossing(), FLAT), FLAT)) == CROSS


def test_voxels_of_one_object_alone_tell_of_its_sides():
    boxes = Boxes(2, scale=2.0).encode(crossing(), FLAT)["boxes"]

    # The upright bar has rows 2 to 27 and columns 12 to 15; the middle of a voxel is
    # half a voxel from its own sides; in units of 2 voxels.
    np.testing.assert_allclose(boxes[1:, 5, 13], np.array([3.5, 22.5, 1.5, 2.5]) / 2)
    assert boxes[0, 5, 13] > 0 > boxes[0, 0, 0]
    assert boxes[0, 15, 13] < 0  # of both


def test_boxes_are_compared_by_their_iou():
    low = torch.tensor([[[0.0, 0.0], [0.0, 2.0], [9.0, 9.0]]])
    high = torch.tensor([[[4.0, 4.0], [4.0, 6.0], [10.0, 10.0]]])

    # 4 x 2 of 16 + 16 - 8 voxels.
    wanted = [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]]
    torch.testing.assert_close(_alike(low, high)[0], torch.tensor(wanted))


def reader(dim, **options):
    return RegionReader(1, dim, **{"regions": 2, "edge": 4, "scale": 1.0} | options)


@pytest.mark.parametrize("dim", [2, 3])
def test_features_in_a_box_are_those_at_its_points(dim):
    size = (8, 10, 12)[:dim]
    planes = torch.arange(float(size[0])).reshape(-1, *[1] * (dim - 1)).expand(size)
    low, high = torch.full((1, 1, dim), 2.0), torch.full((1, 1, dim), 6.0)

    found = reader(dim)._cut(planes[None, None].contiguous(), low, high)

    # Four points in four voxels: their middles.
    assert found.shape == (1, 1, *[4] * dim)
    assert found.flatten(3).amin(-1)[0, 0].tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize("dim", [2, 3])
def test_a_mask_lies_where_its_box_is_and_nothing_is_outside(dim):
    size = (8, 10, 12)[:dim]
    low, high = torch.full((1, 1, dim), 1.0), torch.full((1, 1, dim), 5.0)
    high[..., -1] = 9.0

    laid = reader(dim)._laid(torch.full((1, 1, *[4] * dim), 9.0), low, high, size)

    assert laid.shape == (1, 1, *size)
    places = (laid[0, 0] > 0).nonzero()
    assert places.amin(0).tolist() == [1] * dim
    assert places.amax(0).tolist() == [4] * (dim - 1) + [8]


def test_the_surest_boxes_are_taken_and_none_twice():
    torch.manual_seed(0)
    told = torch.full((1, 5, 8, 8), 1.0)
    told[:, 0] = -9.0
    told[0, 0, 2, 2], told[0, 0, 2, 3], told[0, 0, 6, 6] = 9.0, 8.0, 7.0
    told[0, 1:, 2, 2] = torch.tensor([2.5, 2.5, 2.5, 2.5])
    told[0, 1:, 2, 3] = torch.tensor([2.5, 2.5, 3.5, 1.5])  # the same box again
    told[0, 1:, 6, 6] = torch.tensor([1.5, 1.5, 1.5, 1.5])
    made = reader(2)
    with torch.no_grad():
        made.last.weight.zero_()
        made.last.bias.fill_(5.0)

        (masks,) = made([torch.zeros(1, 1, 8, 8)], {"boxes": [told]})

    inside = masks[0] > 0
    assert inside[0].nonzero().amax(0).tolist() == [4, 4]  # rows 0 to 4
    assert inside[1].nonzero().amin(0).tolist() == [5, 5]


class Features(Trainable):
    """Gives features of three resolutions for each head, whatever it sees."""

    def forward(self, image):
        torch.manual_seed(0)
        levels = [torch.randn(1, 3, 16 >> n, 16 >> n) for n in range(3)]
        return {"boxes": levels, "masks": levels}

    def start_head(self, name, bias):
        raise AssertionError("it is read")

    def last_parameters(self):
        return ()


def test_regions_are_of_boxes_that_coarser_levels_tell_of():
    heads = Boxes(2, regions=2, features=3, box_features=3).heads

    found = with_readers(Features(), heads, 2, False)(torch.zeros(1, 1, 16, 16))

    assert [head.drawn for head in heads] == [3, 3]
    assert found["boxes"].shape == (
        1,
        5,
        16,
        16,
    )  # of three features none could be told
    assert found["masks"].shape == (1, 2, 16, 16)
