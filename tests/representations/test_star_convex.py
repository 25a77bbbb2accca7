"""Star-convex shapes."""

import math

import numpy as np
import pytest

from autoseg.representations._rays import paint, ray_lengths, rays
from autoseg.representations.star_convex import StarConvex
from tests.representations.maps import disturbed, rods, same_objects


@pytest.mark.parametrize(("count", "axes"), [(32, 2), (96, 3)])
def test_rays_have_length_1_and_point_everywhere(count, axes):
    found = rays(count, axes)

    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.mean(0), 0, atol=0.01)


def test_lengths_are_those_to_the_border_in_units_of_length():
    labels = np.zeros((21, 41), np.int32)
    labels[2:19, 4:37] = 1  # from the middle (10, 20): 8.5 rows, 16.5 columns
    directions = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]], np.float32)

    deep = np.zeros(labels.shape, np.float32)  # nothing is known: steps are short
    lengths = ray_lengths(labels, deep, directions, (2.0, 0.5), 100.0)

    np.testing.assert_allclose(lengths[:, 10, 20], [17, 8.25, 17, 8.25], atol=0.3)


def test_equal_lengths_paint_a_ball_also_where_voxels_are_not_cubes():
    box, inside = paint(
        np.array([5.0, 20, 20]), np.full(64, 8.0), rays(64, 3), (2, 1, 1), (11, 41, 41)
    )
    places = np.indices((11, 41, 41)).reshape(3, -1).T - (5, 20, 20)
    ball = (np.linalg.norm(places * (2, 1, 1), axis=1) <= 8).reshape(11, 41, 41)

    found = np.zeros((11, 41, 41), bool)
    found[box] = inside

    assert (found == ball).all()


def test_overlapping_disks_come_back_as_far_as_they_are_seen():
    places = np.indices((40, 60))
    labels = np.zeros((40, 60), np.int32)
    for number, center in enumerate(((20, 18), (20, 38)), 1):
        away = np.hypot(places[0] - center[0], places[1] - center[1])
        labels[away <= 12] = number
    made = StarConvex(2)

    found, _ = made.decode(made.encode(labels, (1.0, 1.0)), (1.0, 1.0))

    assert same_objects(found, labels)


@pytest.mark.parametrize(
    ("half", "turn"), [((15, 15), 0.0), ((9, 18), 0.4), ((12, 30), 1.1), ((30, 30), 0)]
)
def test_an_ellipse_is_drawn_to_half_a_voxel(half, turn):
    rows, columns = np.indices((90, 90)) - np.array([44.3, 45.6])[:, None, None]
    along = np.cos(turn) * columns + np.sin(turn) * rows
    across = np.cos(turn) * rows - np.sin(turn) * columns
    labels = ((across / half[0]) ** 2 + (along / half[1]) ** 2 <= 1).astype(np.int32)
    made = StarConvex(2)

    found, _ = made.decode(made.encode(labels, (1.0, 1.0)), (1.0, 1.0))

    # Half a voxel all around is one part in the half axes: less than that is lost.
    lost = 1 - (half[0] - 0.5) * (half[1] - 0.5) / (half[0] * half[1])
    assert same_objects(found, labels, 1 - lost)
    assert abs(found.sum() / labels.sum() - 1) < lost / 2  # neither shrunk nor grown


def test_bent_rods_come_back_though_no_place_sees_all_of_one():
    labels = rods(seed=1)
    made = StarConvex(2, longest=80)

    found, _ = made.decode(made.encode(labels, (1.0, 1.0)), (1.0, 1.0))

    assert len(np.unique(labels)) > 5
    assert same_objects(found, labels, 0.8)


def test_joining_is_what_puts_a_horseshoe_together():
    labels = np.zeros((40, 60), np.int32)
    labels[4:36, 4:56] = 1
    labels[12:36, 12:48] = 0  # two legs, 24 long, that do not see each other
    outputs = StarConvex(2).encode(labels, (1.0, 1.0))

    whole, _ = StarConvex(2, longest=80).decode(outputs, (1.0, 1.0))
    parts, _ = StarConvex(2, longest=80, join=1.0).decode(outputs, (1.0, 1.0))

    assert same_objects(whole, labels, 0.8)
    assert not same_objects(parts, labels, 0.8)


def test_touching_squares_are_not_joined_when_rays_are_soft_and_noisy():
    labels = np.repeat(np.repeat([[1, 2, 3], [4, 5, 6]], 16, 0), 16, 1).astype(np.int32)
    labels = np.pad(labels, 6)
    made = StarConvex(2, least=30)
    outputs = disturbed(made.encode(labels, (1.0, 1.0)), made.heads, 1.0, 0.2)

    found, _ = made.decode(outputs, (1.0, 1.0))

    assert same_objects(found, labels, 0.6)


def _reaches(voxel, center, lengths, directions, spacing):
    """Say whether a voxel lies within the weighted mean of its three nearest rays."""
    way = [(v - c) * s for v, c, s in zip(voxel, center, spacing, strict=True)]
    away = math.sqrt(sum(w * w for w in way))
    cosines = [
        sum(w * d for w, d in zip(way, ray, strict=True)) / max(away, 1e-6)
        for ray in directions.tolist()
    ]
    nearest = sorted(range(len(cosines)), key=lambda n: -cosines[n])[:3]
    weights = [1 / (1.0001 - cosines[n]) for n in nearest]
    reach = [w * float(lengths[n]) for n, w in zip(nearest, weights, strict=True)]
    return away <= sum(reach) / sum(weights)


@pytest.mark.parametrize("longest", [2.0, 6.0])
def test_a_star_of_a_volume_has_the_voxels_within_its_three_nearest_rays(longest):
    rng = np.random.default_rng(0)
    center, spacing, shape = (4, 5, 3), (1.5, 1.0, 0.8), (9, 11, 10)
    directions = rays(32, 3)
    lengths = rng.uniform(1, longest, 32)

    box, inside = paint(np.array(center), lengths, directions, spacing, shape)

    found = np.zeros(shape, bool)
    found[box] = inside
    expected = [
        _reaches(voxel, center, lengths, directions, spacing)
        for voxel in np.ndindex(shape)
    ]
    assert found.ravel().tolist() == expected
    assert 3 < found.sum() < found.size / 2
