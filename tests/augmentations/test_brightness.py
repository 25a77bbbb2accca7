"""Multiplied brightness."""

import numpy as np
import torch
from batchgeneratorsv2.transforms.intensity.brightness import (
    MultiplicativeBrightnessTransform,
)

from autoseg.augmentations.base import Context
from autoseg.augmentations.brightness import Brightness


def test_it_is_the_brightness_of_batchgenerators():
    image = torch.randn(2, 4, 5, 6)
    reference = MultiplicativeBrightnessTransform((1, 1), False)

    bright = Brightness().image(image, (0.8, 1.2))

    expected = reference._apply_to_image(
        image.clone(), apply_to_channel=[0, 1], multipliers=torch.tensor([0.8, 1.2])
    )
    torch.testing.assert_close(bright, expected)


def test_factors_are_below_one_as_often_as_above():
    context = Context(patch_size=(8, 8), channels=3)
    rng = np.random.default_rng(0)
    drawn = [Brightness().draw(rng, context) for _ in range(8000)]
    factors = np.array([d for d in drawn if d is not None])

    assert abs(len(factors) - 1200) < 96  # 0.15, three standard deviations
    assert factors.shape[1] == 3
    assert 0.75 <= factors.min() < 0.76 and 1.24 < factors.max() <= 1.25
    assert abs((factors < 1).mean() - 0.5) < 0.025  # 3600 of them
