"""Recall of center lines."""

import torch
from pytest import approx

from autoseg.losses.dice_ce import DiceCrossEntropy
from autoseg.losses.skeleton_recall import SkeletonRecall


def test_it_is_the_share_of_center_lines_that_is_predicted():
    line = torch.zeros((1, 9, 20), dtype=torch.int64)
    line[0, 4, 2:18] = 1  # 16 voxels, all of them the skeleton
    said = line.clone()
    said[0, 4, 2:6] = 0
    logits = torch.stack((said == 0, said == 1), dim=1) * 200.0

    found = SkeletonRecall(weight=2.0)(logits, line).item()

    usual = DiceCrossEntropy()(logits, line).item()
    assert found == approx(usual - 2 * 12 / 16, abs=1e-4)


def test_it_is_kept_in_the_mask_in_3_d():
    tube = torch.zeros((1, 8, 8, 8), dtype=torch.int64)
    tube[0, 2:5, 2:5] = 1
    logits = torch.stack((tube == 0, tube == 1), dim=1) * 200.0

    # what is annotated is predicted: nothing of the wider skeleton is outside of it
    assert SkeletonRecall()(logits, tube).item() == approx(-2, abs=1e-4)
