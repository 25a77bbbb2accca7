"""What every augmentation must do, whoever wrote it."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import torch
from torch import Tensor

from autoseg.augmentations.base import Augmentation, Context
from autoseg.testing._contract import Contract, require

RULES = Contract("augmentation")
PATCHES = ((8, 9, 10), (2, 12, 12), (12, 10), (1, 7, 7))
MOST_DRAWS = 10_000
CONTEXTS = tuple(
    Context(
        patch_size=patch,
        channels=2,
        mirror_axes=tuple(range(len(patch))),
        previous_channels=2,
    )
    for patch in PATCHES
)


def check_augmentation(kind: type[Augmentation]) -> None:
    """Raise PluginError unless a class keeps the rules of an augmentation.

    Parameters
    ----------
    kind : type
        The class; it is made with ``probability`` alone.
    """
    RULES.check(kind.__name__, [(kind, context) for context in CONTEXTS])


def _drawn(
    kind: type[Augmentation], context: Context, seed: int = 0
) -> tuple[Augmentation, Any]:
    """Return an augmentation and parameters with which something happens."""
    make: Any = kind
    augmentation: Augmentation = make(probability=1.0)
    rng = np.random.default_rng(seed)
    for _ in range(MOST_DRAWS):
        parameters = augmentation.draw(rng, context)
        if parameters is not None:
            return augmentation, parameters
    require(False, f"with probability 1, {MOST_DRAWS} draws were None")
    return augmentation, None


def _patch(
    augmentation: Augmentation, parameters: Any, context: Context
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = augmentation.source_shape(parameters, context.patch_size)
    image = torch.randn((2, *shape), generator=generator)
    labels = torch.randint(-1, 4, shape, generator=generator).to(torch.int16)
    owner = torch.randint(0, 3, context.patch_size, generator=generator)
    points = torch.rand((3, context.dim), generator=generator) * torch.tensor(shape)
    return image, labels, points, torch.stack([owner == 1, owner == 2])


def _everything(
    augmentation: Augmentation, parameters: Any, context: Context
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    image, labels, points, masks = _patch(augmentation, parameters, context)
    return (
        augmentation.image(image, parameters),
        augmentation.labels(labels, parameters),
        augmentation.points(points, parameters),
        augmentation.previous(masks, parameters),
    )


@RULES.add
def it_is_an_augmentation_with_a_probability(
    kind: type[Augmentation], context: Context
) -> None:
    """The first option, with a default."""
    require(issubclass(kind, Augmentation), "it is no subclass of Augmentation")
    option = inspect.signature(kind).parameters.get("probability")
    require(option is not None and isinstance(option.default, float))


@RULES.add
def with_probability_0_nothing_is_drawn(
    kind: type[Augmentation], context: Context
) -> None:
    """The draw is None."""
    rng = np.random.default_rng(0)
    make: Any = kind
    draws = [make(probability=0.0).draw(rng, context) for _ in range(20)]
    require(all(draw is None for draw in draws))


@RULES.add
def shapes_and_types_stay(kind: type[Augmentation], context: Context) -> None:
    """Of image, labels, points and masks."""
    patch = context.patch_size
    for seed in range(3):
        augmentation, parameters = _drawn(kind, context, seed)
        image, labels, points, masks = _everything(augmentation, parameters, context)
        for name, found, shape, dtype in (
            ("image", image, (2, *patch), torch.float32),
            ("labels", labels, patch, torch.int16),
            ("points", points, (3, context.dim), points.dtype),
            ("previous", masks, (2, *patch), torch.bool),
        ):
            good = tuple(found.shape) == shape and found.dtype == dtype
            require(good, f"{name} is {found.dtype} of shape {tuple(found.shape)}")


@RULES.add
def it_does_something(kind: type[Augmentation], context: Context) -> None:
    """In one of ten draws at least."""
    for seed in range(10):
        augmentation, parameters = _drawn(kind, context, seed)
        before = _patch(augmentation, parameters, context)
        after = _everything(augmentation, parameters, context)
        pairs = zip(before, after, strict=True)
        if any(a.shape != b.shape or not torch.equal(a, b) for a, b in pairs):
            return
    require(False, "ten draws changed nothing")


@RULES.add
def the_same_draw_gives_the_same_result(
    kind: type[Augmentation], context: Context
) -> None:
    """From the same generator, in another object."""
    augmentation, parameters = _drawn(kind, context)
    again, same = _drawn(kind, context)
    first = _everything(augmentation, parameters, context)
    second = _everything(again, same, context)
    require(parameters == same, f"{parameters} was drawn, then {same}")
    pairs = zip(first, second, strict=True)
    require(all(torch.equal(a, b) for a, b in pairs), "the results differ")


@RULES.add
def together_is_the_same_as_one_after_the_other(
    kind: type[Augmentation], context: Context
) -> None:
    """What is shared saves time and changes nothing."""
    augmentation, parameters = _drawn(kind, context)
    image, labels, _, _ = _patch(augmentation, parameters, context)
    both = augmentation.together(image, [labels, -labels], parameters)
    require(torch.equal(both[0], augmentation.image(image, parameters)), "the image")
    for found, given in zip(both[1], (labels, -labels), strict=True):
        require(torch.equal(found, augmentation.labels(given, parameters)), "labels")


@RULES.add
def a_draw_cannot_be_changed(kind: type[Augmentation], context: Context) -> None:
    """What can be hashed holds no list and no array."""
    _, parameters = _drawn(kind, context)
    require(isinstance(hash(parameters), int))


@RULES.add
def what_is_given_is_left_as_it_is(kind: type[Augmentation], context: Context) -> None:
    """Tensors are the caller's."""
    augmentation, parameters = _drawn(kind, context)
    given = _patch(augmentation, parameters, context)
    copies = [tensor.clone() for tensor in given]
    image, labels, points, masks = given
    augmentation.image(image, parameters)
    augmentation.labels(labels, parameters)
    augmentation.points(points, parameters)
    augmentation.previous(masks, parameters)
    require(all(torch.equal(a, b) for a, b in zip(given, copies, strict=True)))


@RULES.add
def an_image_of_one_value_stays_finite(
    kind: type[Augmentation], context: Context
) -> None:
    """It has no spread to divide by."""
    augmentation, parameters = _drawn(kind, context)
    shape = augmentation.source_shape(parameters, context.patch_size)
    for value in (0.0, -2.5):
        image = augmentation.image(torch.full((2, *shape), value), parameters)
        require(image.isfinite().all(), f"of {value}")


@RULES.add
def no_label_is_invented(kind: type[Augmentation], context: Context) -> None:
    """No mean of two labels."""
    augmentation, parameters = _drawn(kind, context)
    shape = augmentation.source_shape(parameters, context.patch_size)
    generator = torch.Generator().manual_seed(0)
    labels = 7 * torch.randint(0, 3, shape, generator=generator).to(torch.int16)
    found = set(augmentation.labels(labels, parameters).unique().tolist())
    require(found <= {0, 7, 14}, f"from 0, 7 and 14 came {sorted(found)}")


@RULES.add
def labels_of_a_previous_stage_do_not_come_to_overlap(
    kind: type[Augmentation], context: Context
) -> None:
    """Each voxel has one label."""
    augmentation, parameters = _drawn(kind, context)
    masks = _everything(augmentation, parameters, context)[3]
    require(not (masks[0] & masks[1]).any())
