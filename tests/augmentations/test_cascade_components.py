"""Lost components of a previous stage's labels."""

import numpy as np
import torch

from autoseg.augmentations.base import Context
from autoseg.augmentations.cascade_components import CascadeComponents, Removal


def _masks():
    masks = torch.zeros((2, 10, 10), dtype=torch.bool)
    masks[0, 0:2, 0:2] = True  # 4 voxels
    masks[0, 5:7, 5:9] = True  # 8 voxels
    masks[1, 2:10, 0:4] = True  # 32 voxels, 32 % of the patch
    return masks


def test_one_component_is_lost_and_the_draw_says_which():
    first = CascadeComponents().previous(_masks(), (Removal(0, 0.0),))
    last = CascadeComponents().previous(_masks(), (Removal(0, 0.99),))

    assert {int(first[0].sum()), int(last[0].sum())} == {4, 8}
    assert torch.equal(first[1], _masks()[1])


def test_a_component_that_fills_much_of_the_patch_is_kept():
    changed = CascadeComponents().previous(_masks(), (Removal(1, 0.5),))

    assert torch.equal(changed, _masks())


def test_a_label_without_components_is_no_trouble():
    masks = torch.zeros((1, 4, 4, 4), dtype=torch.bool)

    assert torch.equal(CascadeComponents().previous(masks, (Removal(0, 0.5),)), masks)


def test_it_happens_to_half_of_the_labels_in_one_patch_of_five():
    context = Context(patch_size=(8, 8), channels=1, previous_channels=2)
    rng = np.random.default_rng(0)
    drawn = [CascadeComponents().draw(rng, context) for _ in range(4000)]

    # 0.2 * 3/4; three standard deviations are 68
    assert abs(sum(d is not None for d in drawn) - 600) < 68
