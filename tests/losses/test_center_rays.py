import math

import numpy as np
import pytest
import torch

from autoseg.losses._seeds import Seen
from autoseg.losses.center_rays import CenterRays, _reach, centers_of
from autoseg.spec.arrays.overlaps import Mask
from autoseg.spec.arrays.polar import center_of, directions, reach


def bent():
    """A square, and a thin angle whose middle is outside of it."""
    layers = np.zeros((2, 24, 30), np.int32)
    layers[0, 2:12, 3:13] = 4
    layers[1, 6:22, 16:18], layers[1, 20:22, 16:28] = 9, 9
    return layers


def masks(layers):
    for i in (4, 9):
        yield Mask.of_places(np.nonzero((layers == i).any(0)))


def test_centers_and_rays_are_those_of_the_representation():
    layers = bent()
    target, ids = torch.from_numpy(layers), torch.tensor([4, 9])
    far = directions(12)
    ones = list(masks(layers))
    centers = np.stack([center_of(mask) for mask in ones])
    low = torch.tensor([mask.start for mask in ones])
    high = low + torch.tensor([mask.inside.shape for mask in ones])
    seen = Seen(target, torch.ones(24, 30) > 0, ids, low, high, low[:, None])

    assert centers[0].tolist() == [7, 8]  # where four voxels meet
    assert ones[1].has(tuple(int(i) for i in centers[1]))
    np.testing.assert_allclose(centers_of(target, ids), centers)
    lengths = np.stack([reach(m, c, far) for m, c in zip(ones, centers, strict=True)])
    np.testing.assert_allclose(_reach(seen, torch.from_numpy(far)), lengths)


def test_an_error_counts_as_the_area_that_is_wrong():
    loss, target, perfect = CenterRays.example()
    loss.box = 0.0
    wrong = perfect.clone()
    wrong[:, 3:] += 0.5  # all rays, by half: smooth L1 of 0.5

    found = float(loss(wrong, target)) - float(loss(perfect, target))
    assert found == pytest.approx(0.125, abs=1e-6)
    wrong = perfect.clone()
    wrong[:, 3] += 0.5
    # Rays of the first square, from its middle: 2 along the axes, and of the diagonal.
    ray = perfect[0, 3:, 2, 2].exp() ** 2
    found = float(loss(wrong, target)) - float(loss(perfect, target))
    assert found == pytest.approx(0.125 * float(ray[0] / ray.sum()), rel=0.05)


def test_no_object_leaves_only_how_sure_voxels_are():
    _, target, perfect = CenterRays.example()

    found = float(CenterRays()(torch.zeros_like(perfect), torch.zeros_like(target)))

    assert found == pytest.approx(math.log(2) / 2)
