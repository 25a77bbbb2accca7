"""clDice of lines."""

import torch
from pytest import approx

from autoseg.losses._skeleton import soft_skeleton
from autoseg.losses.cl_dice import CenterLineDice
from autoseg.losses.dice_ce import DiceCrossEntropy


def test_a_gap_in_a_line_costs_what_dice_hardly_sees():
    line = torch.zeros((1, 9, 20), dtype=torch.int64)
    line[0, 3:6, 2:18] = 1
    broken, thin = line.clone(), line.clone()
    broken[0, 3:6, 9:11] = 0
    thin[0, 3, 2:8] = 0  # as many voxels are missing, and the line is whole

    def lost(said):
        logits = torch.stack((said == 0, said == 1), dim=1) * 200.0
        extra = CenterLineDice(weight=1.0)(logits, line)
        return extra.item() - DiceCrossEntropy()(logits, line).item()

    # Of 14 voxels of the center line, two are lost: 2 (12/14) / (1 + 12/14).
    assert lost(line) == approx(-1, abs=1e-4)
    assert lost(thin) == approx(-1, abs=1e-4)
    assert lost(broken) == approx(-24 / 26, abs=1e-4)


def test_the_skeleton_of_a_bar_is_its_middle():
    bar = torch.zeros((1, 1, 9, 20))
    bar[0, 0, 3:6, 2:18] = 1

    skeleton = soft_skeleton(bar, 3)[0, 0]

    assert skeleton[4, 4:16].eq(1).all()
    assert not skeleton[[3, 5]][:, 4:16].any()
