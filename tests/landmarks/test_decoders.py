import numpy as np
import pytest

from autoseg.errors import UsageError
from autoseg.landmarks.decoders import DECODERS, decode, reach
from tests.each import each

CENTERS = {2: [(0.0, 0.0), (0.4, -0.3)], 3: [(0.25, -0.5, 0.1), (-0.2, 0.0, 0.45)]}


def gaussian(center, covariance, edge=13):
    """Return a Gaussian of height 1 on a grid whose middle is 0."""
    dim = len(center)
    axes = np.meshgrid(*[np.arange(edge) - edge // 2] * dim, indexing="ij")
    apart = np.stack(axes, axis=-1) - np.asarray(center)
    return np.exp(
        -0.5 * np.einsum("...i,ij,...j->...", apart, np.linalg.inv(covariance), apart)
    )


@pytest.mark.parametrize("method", DECODERS)
@pytest.mark.parametrize("dim", [2, 3])
def test_the_center_of_a_gaussian_is_found_as_well_as_the_method_allows(method, dim):
    heat = np.stack([0.7 * gaussian(c, 4 * np.eye(dim)) for c in CENTERS[dim]])

    found = decode(heat, (2.0,) * dim, method)

    # blurring for DARK and cutting windows for means costs little, arg-max half a voxel
    allowed = {"argmax": 0.5, "log_quadratic": 1e-9}.get(method, 0.05)
    assert np.abs(found.offset - CENTERS[dim]).max() <= allowed
    assert found.fitted.all()


def test_the_fit_finds_a_tilted_covariance():
    covariance = np.array([[3.0, 1.0], [1.0, 2.0]])

    found = decode(gaussian((0.2, 0.1), covariance)[None], (1.6, 1.4))

    np.testing.assert_allclose(found.covariance[0], covariance, rtol=1e-9)


def test_axes_may_have_different_sigmas():
    covariance = np.diag([0.7**2, 3.0**2])

    found = decode(gaussian((0.3, -0.4), covariance)[None], (0.7, 3.0))

    np.testing.assert_allclose(found.offset, [[0.3, -0.4]], atol=1e-9)


@pytest.mark.parametrize("method", ["log_quadratic", "center_of_mass"])
def test_what_is_outside_of_the_image_is_left_out(method):
    heat = gaussian((0.0, 0.3), 2.25 * np.eye(2))
    inside = heat.copy()
    heat[:5] = np.nan
    inside[-5:] = inside[:5] = np.nan

    found = decode(np.stack([heat, inside]), (1.5, 1.5), method)

    assert np.isfinite(found.offset).all()
    # cut the same on both sides, a mean stays in the middle along that axis
    assert abs(found.offset[1, 0]) < 1e-9
    assert abs(found.offset[1, 1] - 0.3) < 0.02


def test_a_scale_changes_nothing():
    heat = gaussian((0.3, -0.2), 4 * np.eye(2))[None]

    for method in DECODERS:
        one, other = decode(heat, (2, 2), method), decode(1e-6 * heat, (2, 2), method)
        np.testing.assert_allclose(one.offset, other.offset, atol=1e-9)


@each("method", DECODERS)
@each("value", [0.0, 1.0, np.nan])
def test_without_a_peak_the_answer_is_the_middle(method, value):
    found = decode(np.full((1, 9, 9), value), (2.0, 2.0), method)

    np.testing.assert_allclose(found.offset, 0, atol=1e-12)
    assert np.isfinite(found.covariance).all()


def test_a_ridge_has_another_method_stand_in():
    ridge = np.tile(gaussian((0.0,), np.eye(1), edge=9), (9, 1))

    found = decode(ridge[None], (1.0, 1.0))

    assert not found.fitted[0]
    np.testing.assert_allclose(found.covariance[0], np.eye(2))


@pytest.mark.parametrize("method", DECODERS)
def test_noise_never_moves_a_point_out_of_its_window(method):
    heat = np.random.default_rng(0).random((200, 9, 9, 9))
    heat[:, 4, 4, 4] = 1.0

    found = decode(heat, (1.5, 1.5, 1.5), method)

    assert np.abs(found.offset).max() <= 3  # two sigmas


def test_landmarks_do_not_influence_one_another():
    heat = np.random.default_rng(0).random((5, 9, 9))
    heat[:, 4, 4] = 1.0

    together = decode(heat, (2, 2))
    alone = [decode(one[None], (2, 2)).offset[0] for one in heat]

    np.testing.assert_allclose(together.offset, alone, atol=1e-9)


def test_windows_reach_two_sigmas():
    assert reach((0.5, 1.5, 4.0)) == (2, 3, 8)


@pytest.mark.parametrize("shape", [(1, 8, 9), (1, 9, 9, 9), (1, 3, 3)])
def test_windows_of_another_shape_are_refused(shape):
    with pytest.raises(UsageError, match="windows of shape"):
        decode(np.ones(shape), (2.0, 2.0))


def test_an_unknown_method_is_refused_with_those_that_there_are():
    with pytest.raises(UsageError, match="log_quadratic, argmax"):
        decode(np.ones((1, 9, 9)), (2.0, 2.0), "magic")
