"""Transforms of batchgenerators as augmentations."""

import numpy as np
import pytest
import torch
from batchgenerators.transforms.color_transforms import BrightnessTransform

from autoseg.augmentations.base import Context
from autoseg.augmentations.batchgenerators import BatchGenerators
from autoseg.errors import UsageError

CONTEXT = Context(patch_size=(6, 7), channels=2)


def _draw(augmentation, seed=0):
    return augmentation.draw(np.random.default_rng(seed), CONTEXT)


def test_a_transform_does_what_it_does_in_its_library():
    options = {"mu": 2.0, "sigma": 0.0, "per_channel": False}
    image = torch.rand(2, 6, 7)

    augmentation = BatchGenerators(1.0, "BrightnessTransform", options)
    found = augmentation.image(image, _draw(augmentation))

    expected = BrightnessTransform(**options)(data=image.numpy()[None].copy())
    np.testing.assert_allclose(found, expected["data"][0])
    np.testing.assert_allclose(found, image + 2.0, atol=1e-6)


def test_numbers_belong_to_the_draw():
    augmentation = BatchGenerators(1.0, "GaussianNoiseTransform")
    image = torch.zeros(2, 6, 7)
    np.random.seed(0)

    first = augmentation.image(image, _draw(augmentation, 5))
    np.random.seed(1)

    assert torch.equal(augmentation.image(image, _draw(augmentation, 5)), first)
    assert not torch.equal(augmentation.image(image, _draw(augmentation, 6)), first)


@pytest.mark.parametrize(
    ("transform", "options", "words"),
    [
        ("GamaTransform", {}, "Did you mean 'GammaTransform'?"),
        ("MirrorTransform", {}, "that changes intensities"),
        ("GammaTransform", {"gama": 1}, "gama: no such option"),
    ],
)
def test_what_there_is_not_is_refused(transform, options, words):
    with pytest.raises(UsageError) as error:
        BatchGenerators(1.0, transform, options)

    assert words in str(error.value)
