"""Gaussian blur against batchgeneratorsv2 and SciPy."""

import numpy as np
import torch
from batchgeneratorsv2.transforms.noise.gaussian_blur import blur_dimension
from scipy.ndimage import correlate1d

from autoseg.augmentations.base import Context
from autoseg.augmentations.blur import Blur
from tests.each import each


@each("shape", [(12, 14, 16), (4, 20, 9), (30, 17)])
@each("sigma", [0.5, 0.61, 0.75, 0.92, 1.0])
def test_it_is_the_blur_of_batchgenerators(shape, sigma):
    image = torch.randn(2, *shape)
    sigmas = tuple(sigma - 0.02 * axis for axis in range(len(shape)))

    blurred = Blur().image(image, (sigmas, None))

    expected = image[:1]
    for axis, width in enumerate(sigmas):
        expected = blur_dimension(expected, width, axis)
    torch.testing.assert_close(blurred[:1], expected, atol=1e-6, rtol=1e-5)
    assert torch.equal(blurred[1], image[1])


def test_edges_are_reflected_about_the_outermost_voxel():
    image = torch.randn(1, 9, 4)

    blurred = Blur().image(image, ((0.9, 1e-3),))

    # 6 * 0.9 + 1/2 = 5.9: the next odd number is 5, two voxels to each side
    kernel = np.exp(-0.5 * (np.arange(-2, 3) / 0.9) ** 2)
    expected = correlate1d(image[0].numpy(), kernel / kernel.sum(), 0, mode="mirror")
    np.testing.assert_allclose(blurred[0].numpy(), expected, atol=1e-6)


def test_an_axis_of_one_voxel_stays_as_it_is():
    image = torch.randn(1, 1, 8)

    blurred = Blur().image(image, ((1.0, 1e-3),))

    assert torch.equal(blurred, image)


def test_one_patch_in_five_and_then_half_of_its_channels():
    context = Context(patch_size=(8, 8, 8), channels=2)
    rng = np.random.default_rng(0)
    drawn = [Blur().draw(rng, context) for _ in range(4000)]

    chosen = sum(s is not None for d in drawn if d is not None for s in d)
    widths = [w for d in drawn if d is not None for s in d if s is not None for w in s]

    # 4000 * 2 channels * 0.1; three standard deviations are 80 even without the
    # dependence of the two channels, which makes it a little more
    assert abs(chosen - 800) < 110
    # happens unless neither channel is chosen: 0.2 * 3/4
    assert abs(sum(d is not None for d in drawn) - 600) < 68
    assert len(widths) == 3 * chosen
    assert 0.5 <= min(widths) < 0.51 and 0.99 < max(widths) <= 1.0
