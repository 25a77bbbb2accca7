import numpy as np
import pytest

from autoseg.landmarks.shape import FREE, ShapePrior, fit_shapes, shapes_of
from autoseg.spec.json import from_json, to_json

nan = float("nan")
OUTLINE = np.array([[0, 0], [0, 40], [30, 40], [30, 0], [15, 20], [50, 10]], float)


def shapes(count, seed=0, noise=1.0):
    """Return outlines that are moved, stretched, and have noise of 1."""
    rng = np.random.default_rng(seed)
    stretched = OUTLINE * rng.normal(1, 0.1, (count, 1, 2))
    moved = stretched + rng.normal(0, 50, (count, 1, 2))
    return moved + rng.normal(0, noise, (count, *OUTLINE.shape))


@pytest.fixture(scope="module")
def prior():
    return fit_shapes(shapes(80))


def test_usual_shapes_are_plausible(prior):
    flags = [prior.implausible(shape) for shape in shapes(100, seed=1)]

    assert np.mean(flags) < 0.01


def test_a_point_far_off_is_found_and_its_neighbors_are_not_blamed(prior):
    blamed = 0
    for index, shape in enumerate(shapes(60, seed=2)):
        wrong = index % len(OUTLINE)
        shape[wrong] += (15, -15)
        flags = prior.implausible(shape)
        assert flags[wrong]
        blamed += flags.sum() - 1

    assert blamed <= 3  # of 300; without taking the worst away there are dozens


def test_points_that_changed_places_are_found(prior):
    found = [
        prior.implausible(shape[[1, 0, 2, 3, 4, 5]]) for shape in shapes(30, seed=3)
    ]

    assert np.mean([flags[:2].all() for flags in found]) > 0.9


def test_points_that_are_not_there_are_left_out(prior):
    shape = shapes(1, seed=4)[0]
    shape[2] = nan

    assert not prior.implausible(shape).any()
    assert np.isnan(prior.distances(shape)[2])
    shape[:4] = nan
    assert np.isnan(prior.distances(shape)).all()  # two points are no shape


def test_distances_are_those_of_the_conditional_gaussian():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(8, 8))
    covariance = root @ root.T + np.eye(8)
    prior = ShapePrior(
        mean=((0.0, 0.0),) * 4, covariance=tuple(map(tuple, covariance)), limit=1.0
    )
    # a shift of all points together costs nothing
    shift = np.kron(np.ones((4, 4)), np.eye(2))
    covariance = covariance + FREE * np.trace(covariance) / 8 * shift
    shape = rng.normal(size=(4, 2))
    placed = (shape - np.median(shape, axis=0)).ravel()

    # the textbook's: mean and covariance of the first two given the other six
    gain = covariance[:2, 2:] @ np.linalg.inv(covariance[2:, 2:])
    residual = placed[:2] - gain @ placed[2:]
    spread = covariance[:2, :2] - gain @ covariance[2:, :2]

    expected = residual @ np.linalg.solve(spread, residual)
    assert prior.distances(shape)[0] == pytest.approx(expected)


def test_missing_points_do_not_spoil_learning():
    given = shapes(80)
    given[np.random.default_rng(5).random(given.shape[:2]) < 0.15] = nan
    prior = fit_shapes(given)
    shape = shapes(1, seed=6)[0]

    assert not prior.implausible(shape).any()
    shape[3] += 25
    assert prior.implausible(shape)[3]


def test_from_few_shapes_nothing_is_learnt():
    assert fit_shapes(shapes(9)) is None
    assert fit_shapes(shapes(40)[:, :2]) is None


def test_it_is_json(prior):
    assert from_json(ShapePrior, to_json(prior), "here") == prior


def test_shapes_are_in_the_unit_of_the_spacing():
    found = shapes_of(
        [np.array([[1.0, 2.0]]), np.array([[nan, nan]])], [(2, 3), (1, 1)]
    )

    assert found[0].tolist() == [[2, 6]] and np.isnan(found[1]).all()


def test_errors_of_predictions_are_no_reason_for_doubt():
    prior = fit_shapes(shapes(80))
    rng = np.random.default_rng(5)
    predicted = shapes(30, seed=3) + rng.normal(0, 6, (30, *OUTLINE.shape))

    def doubted(judge):
        return np.mean([judge.implausible(shape) for shape in predicted])

    assert doubted(prior) > 0.05
    assert doubted(prior.with_noise(6.0)) < 0.01


def test_a_missing_point_is_expected_where_the_conditional_gaussian_has_it():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(8, 8))
    covariance = root @ root.T + np.eye(8)
    prior = ShapePrior(
        mean=((0.0, 0.0), (5.0, 1.0), (2.0, 7.0), (9.0, 4.0)),
        covariance=tuple(map(tuple, covariance)),
        limit=1.0,
    )
    shift = np.kron(np.ones((4, 4)), np.eye(2))
    covariance = covariance + FREE * np.trace(covariance) / 8 * shift
    shape = np.array(prior.mean) + rng.normal(size=(4, 2))
    shape[0] = nan
    offset = np.median(shape[1:] - np.array(prior.mean)[1:], axis=0)

    gain = covariance[:2, 2:] @ np.linalg.inv(covariance[2:, 2:])
    apart = (shape[1:] - offset - np.array(prior.mean)[1:]).ravel()
    spread = covariance[:2, :2] - gain @ covariance[2:, :2]

    places, spreads = prior.expected(shape)
    np.testing.assert_allclose(places[0], gain @ apart + offset)
    np.testing.assert_allclose(spreads[0], spread, rtol=1e-6)
    np.testing.assert_array_equal(places[1:], shape[1:])
    assert (spreads[1:] == 0).all()


def test_what_is_expected_moves_with_the_shape(prior):
    shape = shapes(1, seed=5)[0]
    shape[3] = nan
    moved = prior.expected(shape + (300.0, -200.0))[0]
    np.testing.assert_allclose(moved, prior.expected(shape)[0] + (300.0, -200.0))
