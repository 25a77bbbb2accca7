"""Centers."""

import numpy as np
import pytest
import torch

from autoseg.errors import PlanError
from autoseg.networks._tellers import TellReader
from autoseg.representations.centers import Centers
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.arrays.polar import reach
from autoseg.spec.arrays.small_masks import enlarged, shrunk
from tests.representations.test_prototypes import CROSS, FLAT, crossing, wholes


def test_objects_that_cross_come_back_whole():
    made = Centers(2)

    assert wholes(made.find(made.encode(crossing(), FLAT), FLAT)) == CROSS


def test_a_small_mask_says_how_full_its_cells_are():
    inside = np.zeros((4, 6), bool)
    inside[:3, :3] = True

    # Cells of 2 x 3 voxels: full, empty; half full, empty.
    np.testing.assert_allclose(shrunk(inside, 2), [[1, 0], [0.5, 0]], atol=1e-6)
    assert shrunk(inside, 12).mean() == pytest.approx(inside.mean())


def test_between_points_masks_are_linear_and_beyond_them_constant():
    found = enlarged(np.array([[0.0, 1.0]]), (1, 4))

    # Points are in the middles of halves, at 1 and 3 of 4; voxels at 0.5, 1.5, ...
    np.testing.assert_allclose(found, [[0, 0.25, 0.75, 1]])


def test_a_coarse_grid_loses_what_a_fine_one_keeps():
    layers = np.zeros((1, 40, 40), np.int32)
    layers[0, np.arange(4, 36), np.arange(4, 36)] = 1
    layers[0, np.arange(4, 36), np.arange(5, 37)] = 1

    def overlap(edge):
        made = Centers(2, edge=edge)
        found = made.find(made.encode(layers, FLAT), FLAT)
        truth = layers[0] > 0
        shared = sum(truth[mask.box][mask.inside].sum() for mask, _ in found)
        return shared / truth.sum()

    assert overlap(32) > 0.9 > overlap(4)


def test_rays_bring_objects_that_cross_back_and_their_corners_by_number():
    layers = crossing()
    shares = []
    for rays in (8, 72):
        made = Centers(2, rays=rays)
        found = made.find(made.encode(layers, FLAT), FLAT)
        truth = layers[0] > 0
        upright = max(found, key=lambda one: one[0].inside.shape[0])[0]
        inside = np.zeros_like(truth)
        inside[upright.box] = upright.inside
        shares.append((inside & truth).sum() / (inside | truth).sum())
        assert len(found) == 2

    assert shares[0] < 0.8 and shares[1] > 0.9


def test_a_ray_goes_to_where_the_object_ends_for_the_last_time():
    inside = np.zeros((1, 9), bool)
    inside[0, [0, 1, 2, 6, 7]] = True
    mask = Mask((4, 10), inside)

    # From the middle of voxel 10: to the right, voxel 17 is the last; left, its own.
    right, left = reach(mask, np.array([4.5, 10.5]), np.array([[0, 1.0], [0, -1.0]]))
    assert abs(right - 7.5) <= 0.25 and abs(left - 0.5) <= 0.25


@pytest.mark.parametrize("axes, rays", [(3, 36), (2, 4)])
def test_rays_in_volumes_or_too_few_of_them_are_refused(axes, rays):
    with pytest.raises(PlanError, match=f"rays is {rays}, of {axes} axes"):
        Centers(axes, rays=rays)


def test_what_several_voxels_say_is_put_together():
    layers = np.zeros((1, 24, 24), np.int32)
    layers[0, 4:20, 4:20] = 1
    made = Centers(2, edge=8)
    output = made.encode(layers, FLAT)["centers"]
    output[1, 10, 10] += 0.4  # the surest voxel is wrong by 4 voxels about one side
    output[0, 10, 10] += 1.0

    ((alone, _),) = made.find({"centers": output}, FLAT)
    ((voted, _),) = Centers(2, edge=8, votes=8).find({"centers": output}, FLAT)

    assert alone.start == (0, 4) and alone.inside.shape == (20, 16)
    assert voted.start == (4, 4) and voted.inside.shape == (16, 16)


@pytest.mark.parametrize("dim", [2, 3])
def test_what_voxels_tell_is_of_coarse_levels_and_the_rest_of_the_finest(dim):
    torch.manual_seed(0)
    made = TellReader(3, dim, told=4, maps=2)
    levels = [torch.randn(1, 3, *[16 >> n] * dim, requires_grad=True) for n in range(3)]

    (found,) = made(levels)

    assert found.shape == (1, 1 + 4 + 2, *[16] * dim)
    for channels, of in ((slice(1, 5), [1, 2]), ([0, 5, 6], [0])):
        gradients = torch.autograd.grad(
            found[:, channels].square().sum(),
            levels,
            retain_graph=True,
            allow_unused=True,
        )
        assert [
            n for n, one in enumerate(gradients) if one is not None and one.any()
        ] == of
    with torch.no_grad():
        made.think[-1].weight.zero_()
        made.think[-1].bias.copy_(torch.tensor([5.0, 6, 7, 8]))
        assert made(levels)[0][0, 1:5].flatten(1).amax(1).tolist() == [5, 6, 7, 8]


def test_plans_of_before_have_heads_of_the_finest_level_alone():
    old, new = Centers(2).heads[0], Centers(2, features=16).heads[0]

    assert old.reader is None and old.drawn == old.channels == 1 + 4 + 256
    assert new.channels == old.channels and new.drawn == 16
    assert new.reader.options == {"told": 4 + 256, "maps": 0}
