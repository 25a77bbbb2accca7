"""Rotation and scaling against SciPy, against arithmetic, and against points."""

import math

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.spatial.spatial import SpatialTransform
from scipy.ndimage import map_coordinates

from autoseg.augmentations.base import Context
from autoseg.augmentations.spatial import Affine, Spatial
from autoseg.errors import UsageError
from tests.each import each

PATCHES = [(12, 16, 10), (13, 9, 11), (3, 20, 24), (24, 30), (16, 40), (1, 6, 6)]


def _draw(patch, seed=0, **options):
    context = Context(patch_size=patch, channels=2)
    return Spatial(1.0, **options).draw(np.random.default_rng(seed), context)


def _places(drawn, patch):
    """Return source coordinates (D', *P') of the voxels of the moving axes."""
    moving = patch[-len(drawn.patch) :]
    axes = [np.arange(n) - (n - 1) / 2 for n in moving]
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    center = (np.array(drawn.source) - 1) / 2
    return np.moveaxis(offsets @ np.array(drawn.matrix).T + center, -1, 0)


def _sample(array, drawn, patch):
    """Return SciPy's linear interpolation of an array, slice by slice if flat."""
    moving = len(drawn.patch)
    lead = array.shape[: array.ndim - moving]
    slices = array.reshape(-1, *array.shape[array.ndim - moving :])
    places = _places(drawn, patch)
    sampled = [map_coordinates(s, places, order=1, mode="nearest") for s in slices]
    return np.stack(sampled).reshape(*lead, *drawn.patch)


@each("patch", PATCHES)
@each("seed", range(3))
def test_images_are_interpolated_as_scipy_does(patch, seed):
    drawn = _draw(patch, seed)
    shape = Spatial().source_shape(drawn, patch)
    image = np.random.default_rng(seed).normal(size=(2, *shape))

    moved = Spatial().image(torch.from_numpy(image).float(), drawn)

    assert moved.shape == (2, *patch)
    np.testing.assert_allclose(moved, _sample(image, drawn, patch), atol=1e-4)


@pytest.mark.parametrize("patch", PATCHES, ids=str)
def test_labels_have_the_largest_interpolated_mask(patch):
    drawn = _draw(patch, 1)
    shape = Spatial().source_shape(drawn, patch)
    labels = np.random.default_rng(1).integers(-1, 5, size=shape).astype(np.int16)

    moved = Spatial().labels(torch.from_numpy(labels), drawn).numpy()

    masks = np.stack(
        [_sample((labels == v).astype(float), drawn, patch) for v in range(-1, 5)]
    )
    ordered = np.sort(masks, axis=0)
    clear = ordered[-1] - ordered[-2] > 1e-4
    assert moved.dtype == np.int16
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(moved[clear], (masks.argmax(0) - 1)[clear])


class _Fixed:
    """A generator that always turns by one angle and scales by one factor."""

    def random(self):
        return 0.0

    def uniform(self, low, high):
        return 0.3 if low < 0 else 1.2


@pytest.mark.parametrize("patch", [(12, 16, 10), (16, 14)], ids=str)
def test_angles_and_scales_mean_what_they_mean_in_batchgenerators(patch):
    drawn = Spatial(1.0).draw(_Fixed(), Context(patch_size=patch, channels=1))
    reference = SpatialTransform(
        patch,
        patch_center_dist_from_border=0,
        random_crop=False,
        p_rotation=1,
        rotation=(0.3, 0.3),
        p_scaling=1,
        scaling=(1.2, 1.2),
        p_synchronize_scaling_across_axes=1,
    )
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.normal(size=(2, *drawn.source))).float()
    labels = torch.from_numpy(rng.integers(0, 4, size=drawn.source).astype(np.int16))

    expected = reference(image=image.clone(), segmentation=labels[None].clone())

    moved = Spatial().image(image, drawn)
    torch.testing.assert_close(moved, expected["image"], atol=1e-4, rtol=0)
    agree = Spatial().labels(labels, drawn) == expected["segmentation"][0]
    assert agree.float().mean() > 0.999


def test_of_labels_that_weigh_the_same_the_smallest_wins():
    # a shift of half a voxel between two labels: patch of even, source of odd length
    drawn = Affine(matrix=((1.0, 0.0), (0.0, 1.0)), source=(3, 4), patch=(2, 4))
    labels = torch.tensor([[3], [2], [7]]).expand(3, 4).contiguous()

    moved = Spatial().labels(labels, drawn)

    assert moved[:, 0].tolist() == [2, 2]


def test_a_quarter_turn_is_exact():
    drawn = Affine(matrix=((0.0, -1.0), (1.0, 0.0)), source=(5, 5), patch=(5, 5))
    labels = torch.arange(25, dtype=torch.int16).reshape(5, 5)

    moved = Spatial().labels(labels, drawn)

    # voxel (i, j) of the patch is (-j, i) of the source, about the center
    assert torch.equal(moved, labels.rot90(1, (1, 0)))


def test_a_scale_above_one_makes_objects_smaller():
    drawn = Affine(matrix=((2.0, 0.0), (0.0, 2.0)), source=(15, 15), patch=(8, 8))
    labels = torch.zeros((15, 15), dtype=torch.int16)
    labels[3:12, 3:12] = 1  # 9 voxels wide

    moved = Spatial().labels(labels, drawn)

    assert moved[4].sum().item() in (4, 5)


@each("patch", PATCHES)
@each("seed", range(20))
def test_the_box_that_is_read_is_the_smallest_with_the_same_center(patch, seed):
    drawn = _draw(patch, seed)
    places = _places(drawn, patch)

    for axis, size in enumerate(drawn.source):
        low, high = places[axis].min(), places[axis].max()
        assert low > -1e-4 and high < size - 1 + 1e-4
        assert low < 1 or size <= 2  # one voxel less on each side would be too small
        assert (size - drawn.patch[axis]) % 2 == 0


def test_neither_turned_nor_scaled_is_no_draw():
    context = Context(patch_size=(8, 8, 8), channels=1)

    assert Spatial(0.0).draw(np.random.default_rng(0), context) is None


def test_turning_and_scaling_have_probabilities_of_their_own():
    context = Context(patch_size=(8, 9, 10), channels=1)
    rng = np.random.default_rng(0)
    drawn = [Spatial().draw(rng, context) for _ in range(4000)]

    matrices = [np.array(d.matrix) for d in drawn if d is not None]
    turned = sum(abs(m[0, 1]) > 0 for m in matrices)
    scaled = sum(abs(np.linalg.det(m) - 1) > 1e-9 for m in matrices)

    # 0.2 each, three standard deviations of 4000 draws are 76
    assert abs(turned - 800) < 76
    assert abs(scaled - 800) < 76
    assert abs(len(matrices) - 4000 * 0.36) < 3 * math.sqrt(4000 * 0.36 * 0.64)


def _angles(patch, count=300):
    """Return drawn angles in degrees about the axis in front of the last two."""
    context = Context(patch_size=patch, channels=1)
    rng = np.random.default_rng(0)
    spatial = Spatial(1.0, scale=(1.0, 1.0))
    matrices = [np.array(spatial.draw(rng, context).matrix) for _ in range(count)]
    return [math.degrees(math.atan2(m[-1, -2], m[-2, -2])) for m in matrices]


@pytest.mark.parametrize(
    ("patch", "limit"),
    [
        ((40, 30), 180),  # a plane
        ((46, 30), 15),  # more than 1.5 times as long as wide
        ((10, 32, 32), 180),  # flat: more than 3 times as long as thick
        ((10, 64, 32), 180),
    ],
)
def test_planes_are_turned_by_any_angle_or_by_little_when_they_are_long(patch, limit):
    angles = _angles(patch)

    assert max(angles) <= limit and min(angles) >= -limit
    assert max(angles) > 0.9 * limit and min(angles) < -0.9 * limit


def test_volumes_are_turned_by_up_to_30_degrees_about_each_axis():
    context = Context(patch_size=(30, 32, 32), channels=1)
    rng = np.random.default_rng(0)
    spatial = Spatial(1.0, scale=(1.0, 1.0))
    found = []
    for _ in range(500):
        m = np.array(spatial.draw(rng, context).matrix)
        np.testing.assert_allclose(m @ m.T, np.eye(3), atol=1e-12)
        # m = Rz Ry Rx, so its last row is (-sin y, cos y sin x, cos y cos x) and its
        # first column (cos z cos y, sin z cos y, -sin y)
        x, z = math.atan2(m[2, 1], m[2, 2]), math.atan2(m[1, 0], m[0, 0])
        found.append([math.degrees(a) for a in (x, math.asin(-m[2, 0]), z)])

    assert np.abs(found).max() <= 30
    assert (np.abs(found).max(axis=0) > 28).all()


def test_only_the_plane_of_a_flat_patch_moves():
    drawn = _draw((4, 16, 16))

    assert len(drawn.matrix) == 2
    assert Spatial().source_shape(drawn, (4, 16, 16))[0] == 4


def test_the_scale_lies_between_0_7_and_1_4():
    context = Context(patch_size=(8, 8), channels=1)
    rng = np.random.default_rng(0)
    drawn = [Spatial(1.0, angle=0.0).draw(rng, context) for _ in range(500)]

    scales = [math.sqrt(np.linalg.det(np.array(d.matrix))) for d in drawn]

    assert 0.7 <= min(scales) < 0.72
    assert 1.38 < max(scales) <= 1.4
    # uniform: mean 1.05, standard deviation 0.7 / sqrt(12) / sqrt(500) = 0.009
    assert np.mean(scales) == pytest.approx(1.05, abs=0.03)


@each("patch", [(24, 26, 22), (11, 34, 36), (32, 28)])
@each("seed", range(5))
def test_a_point_goes_where_its_blob_goes(patch, seed):
    drawn = _draw(patch, seed)
    shape = Spatial().source_shape(drawn, patch)
    point = (np.array(shape) - 1) / 2 + np.array([1.0, 3.0, -2.5])[-len(shape) :]
    grid = np.indices(shape) - point.reshape(-1, *(1,) * len(shape))
    blob = np.exp(-(grid**2).sum(0) / (2 * 1.5**2))

    moved = Spatial().image(torch.from_numpy(blob).float()[None], drawn)[0].numpy()
    point = torch.from_numpy(point)[None]
    predicted = Spatial().points(point, drawn)[0].numpy()

    centroid = (np.indices(patch) * moved).reshape(len(patch), -1).sum(1) / moved.sum()
    np.testing.assert_allclose(centroid, predicted, atol=0.05)


BENT = {"elastic": 1.0, "bend": (0.15, 0.15), "scale": (0.85, 1.18)}


def _bent(patch, seed=0, **options):
    return _draw(patch, seed, **{**BENT, "plane_angle": 15.0, "angle": 15.0, **options})


def _ramps(drawn, patch):
    """Return where the patch's voxels come from, (D, *P): ramps are sampled exactly."""
    moving = len(drawn.patch)
    shape = (*patch[: len(patch) - moving], *drawn.source)
    ramps = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"))
    return Spatial().image(torch.from_numpy(ramps).float(), drawn).numpy()


@each("patch", PATCHES[:5])
@each("seed", range(4))
def test_bent_points_are_where_the_image_is_sampled_from(patch, seed):
    drawn = _bent(patch, seed)
    source = _ramps(drawn, patch).astype(float).reshape(len(patch), -1).T
    voxels = np.stack(np.meshgrid(*map(np.arange, patch), indexing="ij"))
    voxels = voxels.reshape(len(patch), -1).T

    moved = Spatial().points(torch.from_numpy(source), drawn).numpy()

    # The field is float32: a thousandth of a voxel.
    np.testing.assert_allclose(moved, voxels, atol=2e-3)


@pytest.mark.parametrize("patch", [(60, 50), (40, 36, 44)], ids=str)
def test_a_bent_spot_stays_under_its_point(patch):
    drawn = _bent(patch, 3)
    shape = Spatial().source_shape(drawn, patch)
    point = np.array(shape) / 2 + [3.3, -2.6, 1.4][: len(patch)]
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    image = np.exp(-0.5 * ((grid - point) ** 2).sum(-1) / 2.5**2)

    moved = Spatial().image(torch.from_numpy(image[None]).float(), drawn)[0].numpy()
    places = Spatial().points(torch.from_numpy(point[None]), drawn).numpy()[0]

    # A bent spot of some voxels is not round any more: its middle is a little off.
    heavy = np.where(moved > 0.5 * moved.max(), moved, 0) ** 2
    axes = np.meshgrid(*map(np.arange, patch), indexing="ij")
    middle = [float((heavy * axis).sum() / heavy.sum()) for axis in axes]
    np.testing.assert_allclose(places, middle, atol=0.2)


@each("patch", [(40, 36), (20, 24, 22), (3, 30, 28)])
@each("seed", range(6))
def test_nothing_is_sampled_outside_of_the_box_that_is_read_and_nothing_folds(
    patch, seed
):
    drawn = _bent(patch, seed, scale=(0.7, 1.4), bend=(0.2, 0.2))
    source = _ramps(drawn, patch)
    shape = Spatial().source_shape(drawn, patch)
    for places, size in zip(source, shape, strict=True):
        assert places.min() >= -1e-3 and places.max() <= size - 1 + 1e-3
    moving = len(drawn.patch)
    axes = tuple(range(-moving, 0))
    steps = np.stack([np.gradient(places, axis=axes) for places in source[-moving:]])
    determinant = np.linalg.det(np.moveaxis(steps, (0, 1), (-2, -1)))
    assert determinant.min() > 0


def test_a_displacement_is_no_larger_than_said_and_bends_the_patch():
    drawn = _bent((64, 64), 1, scale=(1.0, 1.0), plane_angle=0.0)
    voxels = np.stack(np.meshgrid(range(64), range(64), indexing="ij"))
    margin = (np.array(drawn.source) - 64) / 2
    away = _ramps(drawn, (64, 64)) - voxels - margin[:, None, None]
    # 0.15 of 63 / 5 voxels.
    assert np.abs(away).max() <= 0.15 * 63 / 5
    assert np.ptp(away) > 0.5


def test_without_bending_draws_are_what_they_were_and_nonsense_is_refused():
    context = Context(patch_size=(20, 20), channels=1)
    for seed in range(5):
        rng, other = np.random.default_rng(seed), np.random.default_rng(seed)
        plain = Spatial(0.5).draw(rng, context)
        assert plain is None or plain.warp is None
        off = Spatial(0.5, elastic=0.0, nodes=9).draw(other, context)
        assert off == plain and rng.random() == other.random()
    for wrong in ({"elastic": 2}, {"nodes": 1}, {"bend": (0, 0.5)}):
        with pytest.raises(UsageError, match="spatial"):
            Spatial(**wrong)


def test_points_that_are_nowhere_stay_nowhere():
    drawn = _bent((20, 20), 2)
    points = torch.tensor([[5.0, 6.0], [math.nan, math.nan]])
    moved = Spatial().points(points, drawn)
    assert torch.isfinite(moved[0]).all() and torch.isnan(moved[1]).all()


@pytest.mark.parametrize("patch", [(12, 16, 10), (13, 9, 11), (24, 31)], ids=str)
def test_no_angle_and_a_scale_of_one_change_nothing(patch):
    still = {"angle": 0, "small_angle": 0, "plane_angle": 0, "scale": (1, 1)}
    spatial = Spatial(1.0, **still)
    drawn = _draw(patch, **still)
    rng = np.random.default_rng(0)
    image = torch.from_numpy(rng.normal(size=(2, *patch))).float()
    labels = torch.from_numpy(rng.integers(-1, 4, patch).astype(np.int16))
    points = torch.from_numpy(rng.uniform(0, 8, (5, len(patch))))

    assert drawn.source == patch
    torch.testing.assert_close(spatial.image(image, drawn), image)
    assert torch.equal(spatial.labels(labels, drawn), labels)
    torch.testing.assert_close(spatial.points(points, drawn), points)


@pytest.mark.parametrize("patch", [(12, 16), (13, 17), (8, 9, 10)], ids=str)
@pytest.mark.parametrize("more", [2, 4, -2])
def test_a_box_that_is_longer_or_shorter_by_an_even_number_is_cut_not_blurred(
    patch, more
):
    dim = len(patch)
    source = tuple(n + more for n in patch)
    matrix = tuple(map(tuple, np.eye(dim).tolist()))
    drawn = Affine(matrix=matrix, source=source, patch=patch)
    image = torch.from_numpy(np.random.default_rng(1).normal(size=(1, *source)))

    moved = Spatial().image(image.float(), drawn)

    side = more // 2
    if more > 0:
        inside = (slice(None), *[slice(side, side + n) for n in patch])
        torch.testing.assert_close(moved, image[inside].float())
    else:
        inside = (slice(None), *[slice(-side, n + side) for n in patch])
        torch.testing.assert_close(moved[inside], image.float())


@pytest.mark.parametrize("scale", [0.5, 0.8, 2.0])
@pytest.mark.parametrize("dim", [2, 3])
def test_a_scale_makes_objects_as_many_times_smaller(scale, dim):
    """An object of E voxels along an axis gets E / scale, as in nnU-Net."""
    patch, edge = (48,) * dim, 16
    spatial = Spatial(1.0, angle=0, plane_angle=0, scale=(scale, scale))
    context = Context(patch_size=patch, channels=1)
    drawn = spatial.draw(np.random.default_rng(0), context)
    assert {(n - 48) % 2 for n in drawn.source} == {0}
    labels = np.zeros(drawn.source, np.int16)
    labels[tuple(slice((n - edge) // 2, (n + edge) // 2) for n in drawn.source)] = 1

    moved = spatial.labels(torch.from_numpy(labels), drawn).numpy()

    lengths = [np.ptp(place) + 1 for place in np.nonzero(moved)]
    assert lengths == [edge / scale] * dim
