"""Morphology on a previous stage's labels, against scikit-image."""

import numpy as np
import torch
from skimage import morphology

from autoseg.augmentations.base import Context
from autoseg.augmentations.cascade_morphology import CascadeMorphology, Change
from tests.each import each


def _masks(labels=2, shape=(14, 15, 16)):
    rng = np.random.default_rng(0)
    owner = np.zeros(shape, dtype=int)
    for label in range(1, labels + 1):
        for _ in range(3):
            low = rng.integers(0, 9, 3)
            owner[tuple(slice(a, a + 4) for a in low)] = label
    return torch.from_numpy(np.stack([owner == k + 1 for k in range(labels)]))


@each("radius", [1.0, 2.4, 4.0])
@each("operation", ["dilate", "erode", "close", "open"])
def test_each_operation_is_that_of_a_ball(operation, radius):
    masks = _masks()
    one = masks[0].numpy()
    around = np.stack(np.meshgrid(*[np.arange(-5, 6)] * 3, indexing="ij"))
    ball = (around**2).sum(0) <= radius**2

    def dilate(mask):
        return morphology.dilation(np.pad(mask, 5), ball)[5:-5, 5:-5, 5:-5]

    def erode(mask):  # outside of the patch counts as part of the mask
        padded = np.pad(mask, 5, constant_values=True)
        return morphology.erosion(padded, ball)[5:-5, 5:-5, 5:-5]

    change = Change(label=0, operation=operation, radius=radius)
    changed = CascadeMorphology().previous(masks, (change,))

    expected = {
        "dilate": dilate(one),
        "erode": erode(one),
        "close": erode(dilate(one)),
        "open": dilate(erode(one)),
    }[operation]
    np.testing.assert_array_equal(changed[0].numpy(), expected)


def test_what_a_label_gains_the_others_lose():
    masks = _masks()

    changed = CascadeMorphology().previous(masks, (Change(0, "dilate", 3.0),))

    gained = changed[0] & ~masks[0]
    assert (gained & masks[1]).any()
    assert not (gained & changed[1]).any()
    assert not (changed[0] & changed[1]).any()


def test_a_label_that_fills_the_patch_or_none_of_it_is_no_trouble():
    masks = torch.stack((torch.ones(4, 4, dtype=torch.bool), torch.zeros(4, 4).bool()))
    changes = tuple(Change(k, o, 2.0) for k in (0, 1) for o in ("erode", "open"))

    changed = CascadeMorphology().previous(masks, changes)

    assert torch.equal(changed, masks)


def test_it_happens_to_half_of_the_labels_in_two_patches_of_five():
    context = Context(patch_size=(8, 8), channels=1, previous_channels=3)
    rng = np.random.default_rng(0)
    drawn = [CascadeMorphology().draw(rng, context) for _ in range(4000)]
    changes = [change for d in drawn if d is not None for change in d]

    # 4000 * 0.4 * 3 * 0.5, with labels of one patch that go together: three standard
    # deviations are 3 * sqrt(4000 * (0.4 * 3 - 0.36)) = 174
    assert abs(len(changes) - 2400) < 174
    assert {c.operation for c in changes} == {"dilate", "erode", "close", "open"}
    assert {c.label for c in changes} == {0, 1, 2}
    assert 1 <= min(c.radius for c in changes) and max(c.radius for c in changes) <= 8


def test_without_a_previous_stage_nothing_is_drawn():
    context = Context(patch_size=(8, 8), channels=1)

    assert CascadeMorphology(1.0).draw(np.random.default_rng(0), context) is None
