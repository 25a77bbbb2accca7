import math

import pytest
import torch

from autoseg.losses._boxes import boxes_of
from autoseg.losses.box_sides import BoxSides


def test_boxes_are_those_of_whole_objects():
    _, target, _ = BoxSides.example()

    ids, low, high = boxes_of(target[0])

    assert ids.tolist() == [1, 7]
    assert low.tolist() == [[1, 3], [3, 1]] and high.tolist() == [[7, 5], [5, 8]]


def test_sides_are_in_units_of_the_scale_and_objects_count_alike():
    loss, target, perfect = BoxSides.example()
    wrong = perfect.clone()
    wrong[:, 1:5, 1:3] += 0.5  # four of eight voxels that are the first one's alone

    # Smooth L1 of 0.5 is 0.125; half of the voxels of one of two objects.
    found = float(loss(wrong, target)) - float(loss(perfect, target))
    assert found == pytest.approx(0.125 / 2 / 2, abs=1e-5)


def test_voxels_that_several_objects_share_may_say_anything():
    loss, target, perfect = BoxSides.example()
    changed = perfect.clone()
    changed[:, :, 3:5, 3:5] = 7.0

    assert float(loss(changed, target)) == pytest.approx(
        float(loss(perfect, target)), abs=1e-6
    )


def test_in_a_volume_there_are_six_sides():
    target = torch.zeros((1, 1, 4, 4, 4), dtype=torch.int32)
    target[0, 0, 1:3, 1:3, 1:3] = 2
    output = torch.zeros(1, 7, 4, 4, 4)

    # Sides are 0.5 and 1.5 voxels away: smooth L1 of 0.05 and 0.15, halves of squares.
    wanted = (0.05**2 + 0.15**2) / 2 / 2 + math.log(2)
    assert float(BoxSides(axes=3)(output, target)) == pytest.approx(wanted, rel=1e-4)
