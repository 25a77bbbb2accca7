"""Gaussian noise."""

import numpy as np
import pytest
import torch

from autoseg.augmentations.base import Context
from autoseg.augmentations.noise import Noise, NoiseField

CONTEXT = Context(patch_size=(8, 8), channels=2)


def test_it_has_the_drawn_spread_in_all_channels_and_no_mean():
    image = torch.zeros(2, 200, 200)

    noisy = Noise().image(image, NoiseField(sigma=0.08, seed=1))

    # 40,000 voxels: the mean is known to 0.0004, the spread to 0.35 %
    assert noisy.std((1, 2)).tolist() == pytest.approx([0.08, 0.08], rel=0.015)
    assert noisy.mean((1, 2)).tolist() == pytest.approx([0, 0], abs=0.0016)
    assert not torch.equal(noisy[0], noisy[1])


def test_another_seed_is_other_noise_and_the_same_seed_the_same():
    image = torch.zeros(1, 8, 8)

    first, second, other = (
        Noise().image(image, NoiseField(sigma=0.1, seed=s)) for s in (1, 1, 2)
    )

    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_one_patch_in_ten_gets_noise_of_up_to_0_1():
    rng = np.random.default_rng(0)
    drawn = [Noise().draw(rng, CONTEXT) for _ in range(4000)]
    sigmas = [d.sigma for d in drawn if d is not None]

    assert abs(len(sigmas) - 400) < 57  # three standard deviations
    assert 0 <= min(sigmas) < 0.003 and 0.097 < max(sigmas) <= 0.1


def test_it_does_not_touch_the_generator_that_everybody_uses():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)

    Noise().image(torch.zeros(1, 8, 8), NoiseField(sigma=0.1, seed=1))

    assert torch.equal(torch.rand(1), expected)
