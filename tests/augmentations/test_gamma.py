"""Gamma against batchgeneratorsv2."""

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform

from autoseg.augmentations.base import Context
from autoseg.augmentations.gamma import Gamma


@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("powers", [(0.7, 1.5), (1.1, 0.85)])
def test_it_is_the_gamma_of_batchgenerators(invert, powers):
    image = torch.randn(2, 8, 9, 7) * 3 + 1
    reference = GammaTransform((1, 1), float(invert), False, 1, 1)

    bent = Gamma(invert=invert).image(image, powers)

    expected = reference._apply_to_image(
        image.clone(),
        apply_to_channel=torch.tensor([0, 1]),
        retain_stats=torch.tensor([True, True]),
        invert_image=torch.tensor([invert, invert]),
        gamma=torch.tensor(powers),
    )
    torch.testing.assert_close(bent, expected, atol=2e-5, rtol=2e-5)


@pytest.mark.parametrize("invert", [False, True])
def test_mean_and_spread_stay_and_the_middle_moves(invert):
    image = torch.linspace(-1, 3, 1000).reshape(1, 10, 100)

    bent = Gamma(invert=invert).image(image, (1.5,))

    assert bent.mean().item() == pytest.approx(1, abs=1e-5)
    assert bent.std().item() == pytest.approx(image.std().item(), rel=1e-5)
    # x^1.5 lies below the line and bends up; of the negative image it is turned round
    middle = bent.flatten()[500].item()
    assert (middle > 1) if invert else (middle < 1)


def test_three_patches_in_ten_are_bent():
    context = Context(patch_size=(8, 8), channels=2)
    rng = np.random.default_rng(0)
    drawn = [Gamma().draw(rng, context) for _ in range(4000)]
    powers = np.array([d for d in drawn if d is not None])

    assert abs(len(powers) - 1200) < 87
    assert 0.7 <= powers.min() < 0.71 and 1.49 < powers.max() <= 1.5
    assert abs((powers < 1).mean() - 0.5) < 0.035
