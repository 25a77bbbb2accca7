import math

import pytest
import torch

from autoseg.losses.center_masks import CenterMasks


def test_a_point_is_to_be_as_likely_as_its_cell_is_full():
    target, perfect = CenterMasks.example()[1:]
    target[:, 1] = 0
    target[:, 0, 4, 1:5] = 0  # the box ends here now
    target[:, 0, 4, 1] = 1  # but for one voxel in 4: the last row of cells
    perfect[:, 0] = torch.where(target[:, 0] > 0, 200.0, -200.0)
    perfect[:, 5 : 5 + 13], perfect[:, 5 + 13 :] = 200.0, -200.0
    loss = CenterMasks(box=0.0)

    assert float(loss(perfect, target)) < 1e-4
    perfect[:, 5:] = 0.0  # each point is a half: log 2 for every one
    assert float(loss(perfect, target)) == pytest.approx(math.log(2), abs=1e-4)


def test_no_object_leaves_only_how_sure_voxels_are():
    target, perfect = CenterMasks.example()[1:]

    found = float(CenterMasks()(torch.zeros_like(perfect), torch.zeros_like(target)))

    assert found == pytest.approx(math.log(2) / 2)
