"""Mirroring."""

import numpy as np
import torch

from autoseg.augmentations.base import Context
from autoseg.augmentations.mirror import Flip, Mirror


def test_twice_is_as_before():
    flip = Flip(axes=(0, 2), shape=(3, 4, 5))
    image = torch.randn(2, 3, 4, 5)
    points = torch.tensor([[0.25, 1.0, 4.0]])
    mirror = Mirror()

    once = mirror.image(image, flip)

    assert not torch.equal(once, image)
    assert torch.equal(mirror.image(once, flip), image)
    assert torch.equal(mirror.points(mirror.points(points, flip), flip), points)


def test_labels_and_points_follow_the_image():
    flip = Flip(axes=(1,), shape=(2, 4))
    labels = torch.tensor([[1, 0, 0, 0], [0, 2, 0, 0]], dtype=torch.int16)
    mirror = Mirror()

    flipped = mirror.labels(labels, flip)
    points = mirror.points(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), flip)

    assert flipped.tolist() == [[0, 0, 0, 1], [0, 0, 2, 0]]
    assert points.tolist() == [[0.0, 3.0], [1.0, 2.0]]
    assert torch.equal(mirror.image(labels[None], flip)[0], flipped)


def test_each_of_the_plans_axes_is_flipped_half_of_the_time():
    context = Context(patch_size=(4, 4, 4), channels=1, mirror_axes=(0, 2))
    rng = np.random.default_rng(0)
    drawn = [Mirror().draw(rng, context) for _ in range(4000)]
    axes = [set() if d is None else set(d.axes) for d in drawn]

    # four equally frequent cases; three standard deviations of 4000 draws are 82
    for case in (set(), {0}, {2}, {0, 2}):
        assert abs(axes.count(case) - 1000) < 82


def test_without_axes_nothing_is_drawn():
    context = Context(patch_size=(4, 4), channels=1)

    assert Mirror(1.0).draw(np.random.default_rng(0), context) is None
