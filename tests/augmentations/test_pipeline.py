"""Policies as a whole: what is drawn, what must be read, what comes out."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from autoseg.augmentations._policies import POLICIES
from autoseg.augmentations.pipeline import Draw, Pipeline, Sample
from autoseg.errors import PluginError, TrainingError
from tests.each import each

CPU = torch.device("cpu")
PATCH = (8, 10, 12)


def _sample(pipeline, seed, channels=1, dtype=torch.float32, previous=0):
    """Return a sample whose content depends on the seed only."""
    draw = pipeline.draw(np.random.default_rng(seed))
    rng = np.random.default_rng((seed, 1))
    shape = draw.source_shape
    image = torch.from_numpy(rng.normal(size=(channels, *shape))).to(dtype)
    labels = torch.from_numpy(rng.integers(-1, 3, size=shape).astype(np.int16))
    older = rng.integers(0, previous + 1, size=shape).astype(np.int16)
    return Sample(
        image=image,
        labels=labels,
        draw=draw,
        previous=torch.from_numpy(older) if previous else None,
    )


def test_without_augmentation_a_patch_comes_out_as_it_went_in():
    pipeline = Pipeline("none", PATCH, (0, 1, 2), channels=2)
    sample = _sample(pipeline, 0, channels=2)

    images, labels = pipeline.apply([sample], CPU)

    assert sample.draw.source_shape == PATCH
    assert torch.equal(images[0], sample.image)
    assert torch.equal(labels[0], sample.labels.clamp(min=0))


def test_only_what_is_turned_or_scaled_reads_more_than_the_patch():
    pipeline = Pipeline("nnunet", PATCH, (0, 1, 2))
    rng = np.random.default_rng(0)

    draws = [pipeline.draw(rng) for _ in range(500)]

    for draw in draws:
        still = draw.parameters[0] is None  # the first is the spatial one
        assert (draw.source_shape == PATCH) or not still
        assert still or draw.source_shape == draw.parameters[0].source
    # 0.8 * 0.8 of all: three standard deviations are 33
    assert abs(sum(d.source_shape == PATCH for d in draws) - 320) < 33


@each("policy", sorted(POLICIES))
@each("patch", [PATCH, (3, 16, 16), (16, 20)])
def test_a_batch_has_the_shape_of_the_patch_and_labels_that_exist(policy, patch):
    axes = tuple(range(len(patch)))
    pipeline = Pipeline(policy, patch, axes, channels=2)
    samples = [
        _sample(pipeline, seed, channels=2, dtype=torch.float16) for seed in range(12)
    ]

    images, labels = pipeline.apply(samples, CPU)

    assert images.shape == (12, 2, *patch) and images.dtype == torch.float32
    assert labels.shape == (12, *patch) and labels.dtype == torch.int16
    assert images.isfinite().all()
    assert set(labels.unique().tolist()) <= {0, 1, 2}


def test_the_same_draw_gives_the_same_patch_alone_in_a_batch_and_in_a_thread():
    pipeline = Pipeline("nnunet", PATCH, (0, 1, 2))
    samples = [_sample(pipeline, seed) for seed in range(24)]

    images, labels = pipeline.apply(samples, CPU)
    with ThreadPoolExecutor(4) as pool:
        alone = list(pool.map(lambda s: pipeline.apply([s], CPU), samples))

    assert torch.equal(images, torch.cat([image for image, _ in alone]))
    assert torch.equal(labels, torch.cat([label for _, label in alone]))


def test_the_same_generator_gives_the_same_draw():
    pipeline = Pipeline("nnunet", PATCH, (0, 1, 2), channels=3, previous_channels=2)

    first, second, other = (
        [pipeline.draw(np.random.default_rng((seed, i))) for i in range(50)]
        for seed in (1, 1, 2)
    )

    assert first == second
    assert first != other


def test_samples_are_left_as_they_are():
    pipeline = Pipeline("nnunet", PATCH, (0, 1, 2))
    samples = [_sample(pipeline, seed) for seed in range(24)]
    before = [(s.image.clone(), s.labels.clone()) for s in samples]

    pipeline.apply(samples, CPU)

    for sample, (image, labels) in zip(samples, before, strict=True):
        assert torch.equal(sample.image, image)
        assert torch.equal(sample.labels, labels)


def test_masked_channels_are_zero_outside_of_the_image():
    pipeline = Pipeline("none", PATCH, channels=2, masked_channels=[1])
    sample = _sample(pipeline, 0, channels=2)

    images, _ = pipeline.apply([sample], CPU)

    outside = sample.labels < 0
    assert torch.equal(images[0, 0], sample.image[0])
    assert not images[0, 1][outside].any()
    assert torch.equal(images[0, 1][~outside], sample.image[1][~outside])


def test_a_previous_stage_becomes_channels_that_move_with_the_image():
    pipeline = Pipeline("nnunet", PATCH, (0, 1, 2), previous_channels=2)
    draw = Draw(
        source_shape=PATCH,
        parameters=(*(None,) * 8, pipeline.steps[8].draw(_Always(), pipeline.context))
        + (None, None),
    )
    sample = _sample(pipeline, 0, previous=2)
    sample.draw, sample.image = draw, torch.zeros((1, *PATCH))
    sample.labels = torch.zeros(PATCH, dtype=torch.int16)
    sample.previous = torch.zeros(PATCH, dtype=torch.int16)
    sample.previous[0, 0, 0], sample.previous[1, 2, 3] = 1, 2

    images, _ = pipeline.apply([sample], CPU)

    assert images.shape[1] == 3
    # flipped along all axes: voxel i goes to size - 1 - i
    assert images[0, 1].nonzero().tolist() == [[7, 9, 11]]
    assert images[0, 2].nonzero().tolist() == [[6, 7, 8]]


class _Always:
    """A generator for which everything happens."""

    def random(self):
        return 0.0


def test_points_move_with_the_labels_through_the_whole_policy():
    pipeline = Pipeline("nnunet", (24, 26, 28), (0, 1, 2))
    moved, errors = 0, []
    for seed in range(40):
        draw = pipeline.draw(np.random.default_rng(seed))
        center = [
            n // 2 + step for n, step in zip(draw.source_shape, (1, -2, 2), strict=True)
        ]
        labels = torch.zeros(draw.source_shape, dtype=torch.int16)
        labels[tuple(slice(c - 3, c + 4) for c in center)] = 1
        sample = Sample(
            image=torch.randn(1, *draw.source_shape),
            labels=labels,
            draw=draw,
            points=torch.tensor([center], dtype=torch.float64),
        )

        _, out = pipeline.apply([sample], CPU)
        point = pipeline.move_points(sample)[0]

        centroid = out[0].nonzero().double().mean(0)
        errors.append(centroid - point)
        moved += not torch.equal(point, sample.points[0])
    assert moved > 30
    # A cube of whole voxels may lie half a voxel beside its point, but not always on
    # the same side.
    assert torch.stack(errors).abs().max() < 0.4
    assert torch.stack(errors).mean(0).abs().max() < 0.04


def test_a_constant_image_stays_finite():
    pipeline = Pipeline("nnunet", PATCH, (0, 1, 2), channels=2)
    samples = []
    for seed in range(60):
        draw = pipeline.draw(np.random.default_rng(seed))
        samples.append(
            Sample(
                image=torch.full((2, *draw.source_shape), 3.0),
                labels=torch.zeros(draw.source_shape, dtype=torch.int16),
                draw=draw,
            )
        )

    images, _ = pipeline.apply(samples, CPU)

    assert images.isfinite().all()


def test_an_unknown_policy_is_named_with_those_there_are():
    with pytest.raises(PluginError, match="'heavy'.*light, nnunet, none"):
        Pipeline("heavy", PATCH)


def test_a_sample_of_another_shape_is_refused():
    pipeline = Pipeline("none", PATCH)
    sample = _sample(pipeline, 0, channels=2)

    with pytest.raises(TrainingError, match=r"\(2, 8, 10, 12\).*\(1, 8, 10, 12\)"):
        pipeline.apply([sample], CPU)


@pytest.mark.parametrize(("made_for", "given"), [(2, 0), (0, 2)])
def test_a_cascade_needs_the_previous_stage_and_nothing_else_has_one(made_for, given):
    pipeline = Pipeline("none", PATCH, previous_channels=made_for)

    with pytest.raises(TrainingError, match="previous stage"):
        pipeline.apply([_sample(pipeline, 0, previous=given)], CPU)


def test_points_that_are_not_there_cannot_be_moved():
    pipeline = Pipeline("none", PATCH)

    with pytest.raises(TrainingError, match="no points"):
        pipeline.move_points(_sample(pipeline, 0))
