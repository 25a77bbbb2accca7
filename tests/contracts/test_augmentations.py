"""What every augmentation must do, whoever wrote it."""

import inspect

import numpy as np
import pytest
import torch

from autoseg.augmentations import AUGMENTATIONS
from autoseg.augmentations._policies import POLICIES
from autoseg.augmentations.base import Augmentation, Context

CONTEXTS = {
    str(patch): Context(
        patch_size=patch,
        channels=2,
        mirror_axes=tuple(range(len(patch))),
        previous_channels=2,
    )
    for patch in [(8, 9, 10), (2, 12, 12), (12, 10), (1, 7, 7)]
}


@pytest.fixture(params=AUGMENTATIONS.names())
def kind(request):
    return AUGMENTATIONS[request.param]


@pytest.fixture(params=CONTEXTS)
def context(request):
    return CONTEXTS[request.param]


def _drawn(kind, context, seed=0):
    """Return an augmentation and parameters with which something happens."""
    augmentation = kind(probability=1.0)
    rng = np.random.default_rng(seed)
    while True:
        parameters = augmentation.draw(rng, context)
        if parameters is not None:
            return augmentation, parameters


def _patch(augmentation, parameters, context, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = augmentation.source_shape(parameters, context.patch_size)
    image = torch.randn((2, *shape), generator=generator)
    labels = torch.randint(-1, 4, shape, generator=generator).to(torch.int16)
    owner = torch.randint(0, 3, context.patch_size, generator=generator)
    points = torch.rand((3, context.dim), generator=generator) * torch.tensor(shape)
    return image, labels, points, torch.stack([owner == 1, owner == 2])


def _everything(augmentation, parameters, context):
    image, labels, points, masks = _patch(augmentation, parameters, context)
    return (
        augmentation.image(image, parameters),
        augmentation.labels(labels, parameters),
        augmentation.points(points, parameters),
        augmentation.previous(masks, parameters),
    )


def test_it_is_an_augmentation_with_a_probability(kind):
    assert issubclass(kind, Augmentation)
    assert isinstance(inspect.signature(kind).parameters["probability"].default, float)


def test_with_probability_0_nothing_is_drawn(kind, context):
    rng = np.random.default_rng(0)

    assert all(kind(probability=0.0).draw(rng, context) is None for _ in range(20))


@pytest.mark.parametrize("seed", range(3))
def test_shapes_and_types_stay(kind, context, seed):
    augmentation, parameters = _drawn(kind, context, seed)

    image, labels, points, masks = _everything(augmentation, parameters, context)

    patch = context.patch_size
    assert image.shape == (2, *patch) and image.dtype == torch.float32
    assert labels.shape == patch and labels.dtype == torch.int16
    assert points.shape == (3, context.dim)
    assert masks.shape == (2, *patch) and masks.dtype == torch.bool


def test_it_does_something(kind, context):
    changed = False
    for seed in range(10):
        augmentation, parameters = _drawn(kind, context, seed)
        before = _patch(augmentation, parameters, context)
        after = _everything(augmentation, parameters, context)
        changed |= any(
            a.shape != b.shape or not torch.equal(a, b)
            for a, b in zip(before, after, strict=True)
        )

    assert changed


def test_the_same_draw_gives_the_same_result(kind, context):
    augmentation, parameters = _drawn(kind, context)
    again, same = _drawn(kind, context)

    first = _everything(augmentation, parameters, context)
    second = _everything(again, same, context)

    assert parameters == same
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_together_is_the_same_as_one_after_the_other(kind, context):
    augmentation, parameters = _drawn(kind, context)
    image, labels, _, _ = _patch(augmentation, parameters, context)

    both = augmentation.together(image, [labels, -labels], parameters)

    assert torch.equal(both[0], augmentation.image(image, parameters))
    assert torch.equal(both[1][0], augmentation.labels(labels, parameters))
    assert torch.equal(both[1][1], augmentation.labels(-labels, parameters))


def test_a_draw_cannot_be_changed(kind, context):
    _, parameters = _drawn(kind, context)

    # what can be hashed holds no list and no array
    assert isinstance(hash(parameters), int)


def test_what_is_given_is_left_as_it_is(kind, context):
    augmentation, parameters = _drawn(kind, context)
    given = _patch(augmentation, parameters, context)
    copies = [tensor.clone() for tensor in given]
    image, labels, points, masks = given

    augmentation.image(image, parameters)
    augmentation.labels(labels, parameters)
    augmentation.points(points, parameters)
    augmentation.previous(masks, parameters)

    assert all(torch.equal(a, b) for a, b in zip(given, copies, strict=True))


@pytest.mark.parametrize("value", [0.0, -2.5])
def test_an_image_of_one_value_stays_finite(kind, context, value):
    augmentation, parameters = _drawn(kind, context)
    shape = augmentation.source_shape(parameters, context.patch_size)

    image = augmentation.image(torch.full((2, *shape), value), parameters)

    assert image.isfinite().all()


def test_no_label_is_invented(kind, context):
    augmentation, parameters = _drawn(kind, context)
    shape = augmentation.source_shape(parameters, context.patch_size)
    generator = torch.Generator().manual_seed(0)
    labels = 7 * torch.randint(0, 3, shape, generator=generator).to(torch.int16)

    assert set(augmentation.labels(labels, parameters).unique().tolist()) <= {0, 7, 14}


def test_labels_of_a_previous_stage_do_not_come_to_overlap(kind, context):
    augmentation, parameters = _drawn(kind, context)

    masks = _everything(augmentation, parameters, context)[3]

    assert not (masks[0] & masks[1]).any()


def test_every_policy_names_augmentations_that_exist():
    named = {name for steps in POLICIES.values() for name, _ in steps}

    assert named <= set(AUGMENTATIONS.names())
