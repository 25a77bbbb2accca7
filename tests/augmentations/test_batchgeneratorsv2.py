"""nnU-Net's own transforms as augmentations: seeds, labels, points, errors."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.intensity.inversion import InvertImageTransform

from autoseg.augmentations._policies import make_steps
from autoseg.augmentations.base import Context
from autoseg.augmentations.batchgeneratorsv2 import BatchGeneratorsV2
from autoseg.augmentations.pipeline import Pipeline, Sample
from autoseg.errors import TrainingError, UsageError

CONTEXT = Context(patch_size=(24, 32), channels=1, mirror_axes=(0, 1))
TURNED = {
    "p_rotation": 1,
    "rotation": [0.4, 0.5],
    "p_scaling": 1,
    "scaling": [0.8, 0.9],
}


def _draw(augmentation, context=CONTEXT, seed=0):
    return augmentation.draw(np.random.default_rng(seed), context)


def _blobs(shape, places):
    """An image with a Gaussian of two voxels at each place."""
    grid = torch.stack(
        torch.meshgrid(*[torch.arange(float(n)) for n in shape], indexing="ij"), -1
    )
    away = [((grid - torch.tensor(p)) ** 2).sum(-1) for p in places]
    return torch.stack([torch.exp(-d / 8) for d in away]).float()


def _middle(blob):
    places = np.indices(blob.shape).reshape(blob.ndim, -1)
    weights = blob.numpy().ravel()
    return places @ weights / weights.sum()


@pytest.mark.parametrize(
    ("transform", "options"),
    [("SpatialTransform", TURNED), ("MirrorTransform", {"allowed_axes": [0, 1]})],
)
@pytest.mark.parametrize("seed", range(4))
def test_points_go_where_the_image_goes(transform, options, seed):
    context = Context(patch_size=(24, 32), channels=2, mirror_axes=(0, 1))
    augmentation = BatchGeneratorsV2(1.0, transform, options)
    drawn = _draw(augmentation, context, seed)
    shape = augmentation.source_shape(drawn, context.patch_size)
    middle = np.array(shape) / 2
    places = [list(middle + (-4.0, 5.0)), list(middle + (3.0, -6.0))]

    image = augmentation.image(_blobs(shape, places), drawn)
    points = augmentation.points(torch.tensor(places), drawn)

    for blob, point in zip(image, points, strict=True):
        np.testing.assert_allclose(_middle(blob), point, atol=0.1)


def test_it_says_when_left_and_right_are_swapped():
    augmentation = BatchGeneratorsV2(1.0, "MirrorTransform")
    image = torch.arange(24.0 * 32).reshape(1, 24, 32)
    seen = set()

    for seed in range(30):
        drawn = _draw(augmentation, seed=seed)
        flipped = augmentation.image(image, drawn)
        axes = [
            a for a in ([], [1], [2], [1, 2]) if torch.equal(image.flip(a), flipped)
        ]
        assert augmentation.mirrors(drawn) == (len(axes[0]) == 1)
        seen.add(tuple(axes[0]))

    assert seen == {(), (1,), (2,), (1, 2)}


def test_what_bends_the_image_is_refused_where_points_have_to_follow():
    bent = {"p_elastic_deform": 1, "elastic_deform_magnitude": [4, 5]}
    augmentation = BatchGeneratorsV2(1.0, "SpatialTransform", bent)

    with pytest.raises(TrainingError, match="landmarks cannot follow"):
        augmentation.points(torch.zeros(1, 2), _draw(augmentation))


def test_a_transform_does_what_it_does_in_its_library():
    options = {"p_invert_image": 1, "p_synchronize_channels": 1, "p_per_channel": 1}
    image = torch.rand(2, 24, 32)

    found = BatchGeneratorsV2(1.0, "InvertImageTransform", options)
    drawn = _draw(found)

    expected = InvertImageTransform(**options)(image=image.clone())["image"]
    torch.testing.assert_close(found.image(image, drawn), expected)


def test_threads_at_the_same_time_change_nothing_and_leave_the_numbers_alone():
    pipeline = Pipeline("batchgeneratorsv2", (24, 32), (0, 1))

    def made(seed):
        draw = pipeline.draw(np.random.default_rng(seed))
        shape = 1, *draw.source_shape
        image = torch.linspace(0, 1, int(np.prod(shape))).reshape(shape)
        labels = (image[0] > 0.5).to(torch.int16)
        return pipeline.apply(
            [Sample(image=image, labels=labels, draw=draw)], torch.device("cpu")
        )

    alone = [made(seed) for seed in range(12)]
    torch.manual_seed(3), np.random.seed(3)
    wanted = np.random.rand()
    np.random.seed(3)
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(made, range(12)))

    for one, other in zip(alone, beside, strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    assert not torch.equal(alone[0][0], alone[1][0])
    assert np.random.rand() == wanted


def test_labels_are_turned_with_the_image():
    augmentation = BatchGeneratorsV2(1.0, "SpatialTransform", TURNED)
    drawn = _draw(augmentation)
    shape = augmentation.source_shape(drawn, CONTEXT.patch_size)
    labels = torch.zeros(shape, dtype=torch.int16)
    labels[shape[0] // 4 : shape[0] // 2, shape[1] // 4 : shape[1] // 2] = 1

    image, (turned,) = augmentation.together(labels[None].float(), [labels], drawn)

    inside, outside = image[0] > 0.9, image[0] < 0.1
    assert turned.dtype == torch.int16 and turned.shape == CONTEXT.patch_size
    assert (turned[inside] == 1).all() and (turned[outside] == 0).all()
    assert inside.any()


def test_a_policy_names_the_pipeline_or_a_transform_with_its_options():
    text = (
        "none,+batchgeneratorsv2,batchgeneratorsv2.transform="
        '"GaussianNoiseTransform",batchgeneratorsv2.options={"noise_variance":[1,2],'
        '"p_per_channel":1,"synchronize_channels":true}'
    )

    (step,) = make_steps(text)
    whole = make_steps("batchgeneratorsv2")[0]

    assert step.options["noise_variance"] == (1, 2)
    assert whole.transform == "nnunet"
    noise = step.image(torch.zeros(1, 24, 32), _draw(step))
    assert 0.8 < noise.var() < 2.4  # 1 to 2, and what 768 numbers may be off


@pytest.mark.parametrize(
    ("transform", "options", "words"),
    [
        ("GamaTransform", {}, "Did you mean 'GammaTransform'?"),
        ("GammaTransform", {"gama": 1}, "gama: no such option"),
        ("nnunet", {"gamma": 1}, "has no options"),
    ],
)
def test_what_there_is_not_is_refused(transform, options, words):
    with pytest.raises(UsageError) as error:
        BatchGeneratorsV2(1.0, transform, options)

    assert words in str(error.value)
