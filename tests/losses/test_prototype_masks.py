import pytest
import torch

from autoseg.losses.prototype_masks import PrototypeMasks


def parts():
    return PrototypeMasks.example()[1:]


def test_voxels_that_several_objects_share_may_say_anything():
    target, perfect = parts()
    loss, changed = PrototypeMasks(), perfect.clone()
    shared = (target > 0).sum(1) > 1
    changed[:, :7].movedim(1, -1)[shared] = 3.0  # all but the prototypes

    assert float(loss(changed, target)) == pytest.approx(
        float(loss(perfect, target)), abs=1e-6
    )


def test_prototypes_count_in_the_box_and_its_margin_only():
    target, perfect = parts()
    target[:, 1] = 0  # one object, rows 1 to 6, columns 3 and 4; margin 1
    perfect[:, 0] = torch.where(target[:, 0] > 0, 200.0, -200.0)
    perfect[:, 1:5] *= 0
    changed = perfect.clone()
    changed[:, 7:, :, 6:] = 50.0
    loss = PrototypeMasks(box=0.0)

    assert float(loss(changed, target)) == pytest.approx(float(loss(perfect, target)))
    changed[:, 7:, :, 5:] = 50.0
    assert float(loss(changed, target)) > float(loss(perfect, target)) + 0.1


def test_sides_of_boxes_are_in_units_of_the_scale():
    target, perfect = parts()
    wrong = perfect.clone()
    wrong[:, 1:5] += 0.5

    # Smooth L1 of 0.5 is 0.125, for each of the sides.
    found = float(PrototypeMasks(box=2.0)(wrong, target))
    assert found - float(PrototypeMasks()(perfect, target)) == pytest.approx(
        0.25, abs=1e-4
    )
