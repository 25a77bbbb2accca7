"""Contrast about the mean."""

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform

from autoseg.augmentations.base import Context
from autoseg.augmentations.contrast import Contrast


def test_it_is_the_contrast_of_batchgenerators():
    image = torch.randn(2, 6, 5, 6) * 3 + 1
    reference = ContrastTransform((1, 1), True, False)

    changed = Contrast().image(image, (0.75, 1.25))

    expected = reference._apply_to_image(
        image.clone(),
        apply_to_channel=torch.tensor([0, 1]),
        multipliers=torch.tensor([0.75, 1.25]),
    )
    torch.testing.assert_close(changed, expected, atol=1e-6, rtol=1e-5)


def test_it_does_not_leave_the_range_of_the_channel():
    image = torch.tensor([0.0, 1.0, 5.0]).reshape(1, 1, 3)

    changed = Contrast().image(image, (1.25,))

    # mean 2: -0.5 is cut to 0, 0.75 stays, 5.75 is cut to 5
    assert changed.flatten().tolist() == pytest.approx([0, 0.75, 5])


def test_about_one_patch_in_seven_is_changed():
    context = Context(patch_size=(8, 8), channels=1)
    rng = np.random.default_rng(0)
    drawn = [Contrast().draw(rng, context) for _ in range(8000)]

    assert abs(sum(d is not None for d in drawn) - 1200) < 96
